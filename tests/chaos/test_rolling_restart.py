"""Two gateways behind nginx are restarted one after the other while callers work.

By the steps of RELIABILITY.md: nginx is told to send new calls to the other one, the gateway ends by
SIGTERM in its own time, and comes back.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from tests.chaos.callers import Caller, World
from tests.chaos.checker import check
from tests.chaos.conftest import Tell
from tests.chaos.journal import Attempt, Journal
from tests.chaos.nginx import Nginx, nginx
from tests.chaos.ports import fixed_port
from tests.chaos.processes import Gateway, Sandbox
from tests.chaos.rows import body_of, expected_of
from tests.chaos.scene import Run, configured
from tests.chaos.stub import CHUNK, Stub
from tests.chaos.truth import Account

pytestmark = pytest.mark.slow
# Longer than an upload: nginx may send one more call of each connection to a gateway that it was told
# to leave, when the one before has ended.
DRAIN_DELAY_SECONDS = 4
UPLOADERS, LONG_UPLOADERS, WATCHERS, READERS = 2, 2, 2, 2
CHUNK_SECONDS, CHUNKS = 0.1, 20
# So slow that the end of the delay falls into some: 6.5 s an upload, 7 s a batch, 4 s of results.
LONG_CHUNKS = 65
STEP_SECONDS = 1.2
MESSAGE_SECONDS, ROWS = 0.4, 4000


class Patient(Caller):
    """A caller whose calls take long."""

    def __init__(self, address: str, journal: Journal, world: World, *, seed: str) -> None:
        super().__init__(Stub(address, journal), world, seed=seed, mark="rolling-")
        self._address = address

    def uploads(self) -> None:
        """One upload after the other on one connection."""
        while not self._world.stopping.is_set():
            self._upload(self._stub, CHUNKS)

    def long_uploads(self) -> None:
        """One upload after the other, each on a connection of its own."""
        while not self._world.stopping.is_set():
            stub = Stub(self._address, self._journal)
            self._upload(stub, LONG_CHUNKS)
            stub.close()

    def _upload(self, stub: Stub, chunks: int) -> None:
        content = self._random.randbytes(chunks * CHUNK)
        metadata = self._announced(content, checked=False)
        stub.upload(content, pause=CHUNK_SECONDS, **metadata)

    def watches(self) -> None:
        """A batch after the other, followed by a watch that is begun again after each break."""
        while not self._world.stopping.is_set():
            operation = self._journal.number()
            batch = self._submitted(operation, rows=4)
            self._watch(batch.id)
            self._results(batch.id, expected_of(operation, 4))

    def reads(self) -> None:
        """The results of one batch again and again, by a reader that takes its time."""
        operation = self._journal.number()
        batch = self._submitted(operation, rows=ROWS)
        self._watch(batch.id)
        while not self._world.stopping.is_set():
            expected = expected_of(operation, ROWS)
            self._results(batch.id, expected, pause=MESSAGE_SECONDS)

    def _submitted(self, operation: int, *, rows: int) -> batch_pb2.Batch:
        lines = [
            pb.BatchLine(custom_id=f"{operation}-{row}", body_json=body_of(operation, row))
            for row in range(rows)
        ]
        answer = self._submit(operation, lines, insist=True, in_message=100)
        batch: batch_pb2.Batch = answer.batch
        return batch


@dataclass
class Fleet:
    """Two gateways, their balancer and the provider."""

    sandbox: Sandbox
    gateways: list[Gateway]
    balancer: Nginx
    account: Account


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        sandbox = Sandbox(tmp_path)
        key_file = tmp_path / "key"
        key_file.write_text("sk-fleet")
        configuration = configured(
            provider=sandbox.address,
            key_file=key_file,
            audit=tmp_path / "audit",
            drain_delay=DRAIN_DELAY_SECONDS,
        )
        gateways = [
            Gateway(tmp_path, configuration=configuration, name=name) for name in ("one", "two")
        ]
        for process in (sandbox, *gateways):
            stack.callback(process.close)
            process.start()
        addresses = [gateway.address for gateway in gateways]
        balancer = stack.enter_context(
            nginx(tmp_path / "nginx", port=fixed_port(), gateways=addresses)
        )
        account = Account(sandbox.url, "sk-fleet")
        stack.callback(account.close)
        account.settings(step_seconds=STEP_SECONDS, max_batch_files=10**6)
        yield Fleet(sandbox, gateways, balancer, account)


def across(attempts: list[Attempt], moments: list[float], kind: str) -> list[Attempt]:
    """The calls of a kind that were under way at any of these moments."""
    return [
        one
        for one in attempts
        if one.kind == kind and any(one.begun < at < one.begun + one.lasted for at in moments)
    ]


def test_no_upload_fails_and_no_row_is_lost(fleet: Fleet, tell: Tell) -> None:
    run = Run("rolling restart behind nginx", "", Journal())
    world = World()
    moments: list[float] = []
    work = [
        *[Patient.uploads] * UPLOADERS,
        *[Patient.long_uploads] * LONG_UPLOADERS,
        *[Patient.watches] * WATCHERS,
        *[Patient.reads] * READERS,
    ]
    with ThreadPoolExecutor(len(work)) as pool:
        callers = [
            pool.submit(
                kind,
                Patient(fleet.balancer.address, run.journal, world, seed=str(number)),
            )
            for number, kind in enumerate(work)
        ]
        try:
            time.sleep(3)
            for gateway in fleet.gateways:
                others = [one.address for one in fleet.gateways if one is not gateway]
                fleet.balancer.use(others)
                moments.append(time.monotonic() + DRAIN_DELAY_SECONDS)
                assert gateway.terminate() == 0
                gateway.start()
                fleet.balancer.use([one.address for one in fleet.gateways])
                run.inflicted["rolling restart"] += 1
        finally:
            world.all_is_well()
        for caller in callers:
            caller.result()
    run.truth = fleet.account.truth()
    run.verdict = check(run.journal, run.truth, own_statuses=set())
    tell(run)
    attempts = run.journal.attempts
    assert not run.verdict.violations, run.verdict
    assert not [one for one in attempts if one.kind == "UploadFile" and not one.end.ok]
    # All of that happened while the gateways ended.
    assert across(attempts, moments, "UploadFile")
    assert across(attempts, moments, "StreamBatchResults")
    assert [
        one
        for one in across(attempts, moments, "WatchBatch")
        if one.end.reason == "SERVER_DRAINING"
    ]
