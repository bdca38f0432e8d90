"""Two gateways behind nginx are restarted one after the other while callers work.

By the steps of RELIABILITY.md: nginx is told to send new calls to the other one, the gateway ends by
SIGTERM in its own time, and comes back.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
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
from tests.chaos.scene import Run, configured
from tests.chaos.stub import Stub
from tests.chaos.truth import Account

pytestmark = pytest.mark.slow
ROUNDS = 2
UPLOADERS, WATCHERS, READERS = 3, 2, 2
# So slow that each restart falls into some: 2 s an upload, 3 s a batch, 2 s of results.
CHUNK_SECONDS, CHUNKS = 0.1, 20
STEP_SECONDS = 0.5
MESSAGE_SECONDS, ROWS = 0.2, 4000


class Patient(Caller):
    """A caller whose calls take long."""

    def uploads(self) -> None:
        """One upload after the other; one that was refused is begun again."""
        while not self._world.stopping.is_set():
            content = self._random.randbytes(CHUNKS * 64 * 1024)
            metadata = self._announced(content, checked=False)
            upload = partial(self._stub.upload, content, pause=CHUNK_SECONDS, **metadata)
            self._insist("upload", upload)

    def watches(self) -> None:
        """A batch after the other, followed by a watch that is begun again after each break."""
        while not self._world.stopping.is_set():
            operation = self._journal.number()
            batch = self._submitted(operation, rows=4)
            self._watch(batch.id)
            self._results(batch.id, self._expected(operation, 4))

    def reads(self) -> None:
        """The results of one batch again and again, by a reader that takes its time."""
        operation = self._journal.number()
        batch = self._submitted(operation, rows=ROWS)
        self._watch(batch.id)
        while not self._world.stopping.is_set():
            expected = self._expected(operation, ROWS)
            self._results(batch.id, expected, pause=MESSAGE_SECONDS)

    def _submitted(self, operation: int, *, rows: int) -> batch_pb2.Batch:
        lines = [
            pb.BatchLine(custom_id=f"{operation}-{row}", body_json=self._body(operation, row))
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
            provider=sandbox.address, key_file=key_file, audit=tmp_path / "audit"
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
        *[Patient.watches] * WATCHERS,
        *[Patient.reads] * READERS,
    ]
    with ThreadPoolExecutor(len(work)) as pool:
        callers = [
            pool.submit(
                kind,
                Patient(
                    Stub(fleet.balancer.address, run.journal), world, seed=str(number), mark="r"
                ),
            )
            for number, kind in enumerate(work)
        ]
        try:
            time.sleep(3)
            for _ in range(ROUNDS):
                for gateway in fleet.gateways:
                    others = [one.address for one in fleet.gateways if one is not gateway]
                    fleet.balancer.use(others)
                    moments.append(time.monotonic())
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
    uploads = [one for one in attempts if one.kind == "UploadFile"]
    failed = [one for one in uploads if not one.end.ok]
    # Each connection may bring one more call to a gateway that nginx was told to leave.
    assert {one.end.reason for one in failed} <= {"SERVER_DRAINING"}
    assert all(one.lasted < CHUNK_SECONDS * CHUNKS / 2 for one in failed), "cut off, not refused"
    assert len(failed) < len(uploads) / 5
    # All of that happened while the gateways ended.
    assert across(attempts, moments, "UploadFile")
    assert across(attempts, moments, "StreamBatchResults")
    assert [
        one
        for one in across(attempts, moments, "WatchBatch")
        if one.end.reason == "SERVER_DRAINING"
    ]
