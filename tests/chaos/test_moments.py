"""Faults at chosen moments: those that a random one seldom hits, and those that were found."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from tests.chaos.conftest import Judge
from tests.chaos.faults import BROKEN
from tests.chaos.journal import Reading
from tests.chaos.processes import eventually
from tests.chaos.rows import ENDPOINT, row_word
from tests.chaos.scene import Run, Scene
from tests.chaos.stub import Result, Stub

pytestmark = pytest.mark.slow
MEGABYTE = 1_000_000
LINE = (
    b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": '
    b'{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}}\n'
)


class Moment:
    """A run by hand: one caller, and faults where the test wants them."""

    def __init__(self, scene: Scene, run: Run) -> None:
        self.scene = scene
        self.run = run
        self.stub = Stub(scene.callers_way.address, run.journal)
        self.operation = run.journal.number()

    def create(self, file_id: str) -> Result:
        """CreateBatch under one request_id."""
        known = {"operation": self.operation, "request_id": f"moment-{self.operation}"}
        request = pb.CreateBatchRequest(
            input_file_id=file_id,
            endpoint=ENDPOINT,
            metadata={"operation": str(self.operation)},
            request_id=f"moment-{self.operation}",
        )
        answer, attempt = self.stub.unary(self.stub.batches.CreateBatch, request, **known)  # type: ignore[arg-type]
        attempt.batch_id = answer.batch.id if answer else ""
        return answer, attempt

    def submit(self, rows: int) -> Result:
        """SubmitBatch under one request_id."""
        body = '{"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}'
        lines = [
            pb.BatchLine(custom_id=f"{self.operation}-{row}", body_json=body) for row in range(rows)
        ]
        metadata = {
            "endpoint": ENDPOINT,
            "metadata": {"operation": str(self.operation)},
            "request_id": f"moment-{self.operation}",
        }
        return self.stub.submit(metadata, lines, rows=100, operation=self.operation)

    def until_well(self, call: Callable[[], Result]) -> Any:
        """Repeat a call until it goes well."""
        found: list[Any] = []

        def well() -> bool:
            found[:] = [call()[0]]
            return found[0] is not None

        assert eventually(well, seconds=20), self.run.journal.ends()
        return found[0]

    def restart(self) -> None:
        """Kill the gateway, and start another one."""
        self.run.inflicted[self.run.name] += 1
        self.run.own_statuses |= BROKEN
        self.scene.gateway.kill()
        self.scene.heal()
        self.scene.gateway.start()

    @contextmanager
    def meanwhile(self, call: Callable[[], Result]) -> Iterator[list[Result]]:
        """Make a call while the block runs, which waits for its end."""
        results: list[Result] = []
        thread = threading.Thread(target=lambda: results.append(call()))
        thread.start()
        yield results
        thread.join()

    def arrived(self, path: str, *, size: int = 0) -> None:
        """Wait until a POST to the path is under way, and so much of it at the provider."""
        account = self.scene.account
        assert eventually(
            lambda: any(one["received_bytes"] >= size for one in account.under_way(path)),
            seconds=10,
        )


@pytest.fixture
def moment(scene: Scene, request: pytest.FixtureRequest) -> Iterator[Moment]:
    moment = Moment(scene, scene.begin(str(request.node.name).removeprefix("test_")))
    yield moment
    moment.stub.close()
    scene.heal()


def judged(moment: Moment, judge: Judge) -> None:
    """Look at all of it."""
    moment.stub.close()
    moment.scene.look(moment.run)
    judge(moment.run)


def test_gateway_killed_when_the_batch_is_created(moment: Moment, judge: Judge) -> None:
    """And its answer is still to come: the repeat finds it, on another gateway."""
    uploaded, _ = moment.stub.upload(LINE)
    moment.scene.account.fault(kind="hang", process=True, method="POST", path="*/batches")
    with moment.meanwhile(lambda: moment.create(uploaded.file.id)) as ends:
        moment.arrived("/batches", size=1)
        moment.restart()
    assert ends[0][1].end.code == "UNAVAILABLE"
    moment.until_well(lambda: moment.create(uploaded.file.id))
    judged(moment, judge)
    assert len(moment.run.truth.batches) == 1


def test_gateway_killed_in_an_upload(moment: Moment, judge: Judge) -> None:
    upload: dict[str, Any] = {"pause": 0.05, "jsonl_check": file_service_pb2.JSONL_CHECK_OFF}
    with moment.meanwhile(lambda: moment.stub.upload(bytes(4 * MEGABYTE), **upload)) as ends:
        moment.arrived("/files", size=MEGABYTE)
        moment.restart()
    assert ends[0][1].end.code == "UNAVAILABLE"
    judged(moment, judge)
    assert not moment.run.truth.files


def test_gateway_killed_between_the_file_and_its_batch(moment: Moment, judge: Judge) -> None:
    """The first file stays behind: nobody is left to delete it. There is one batch."""
    moment.scene.account.fault(kind="hang", method="POST", path="*/batches")
    with moment.meanwhile(lambda: moment.submit(500)):
        moment.arrived("/batches")
        moment.restart()
    moment.until_well(lambda: moment.submit(500))
    judged(moment, judge)
    assert len(moment.run.truth.batches) == 1
    assert len(moment.run.truth.files) == 2


def test_gateway_killed_among_the_rows(moment: Moment, judge: Judge) -> None:
    """The rows go on at the resume token, on another gateway."""
    rows = 3000
    batch = moment.until_well(lambda: moment.submit(rows)).batch
    expected = Counter(f"{moment.operation}-{row}: Echo: Hi" for row in range(rows))
    reading = Reading(batch.id, expected)
    moment.run.journal.readings.append(reading)
    request = pb.StreamBatchResultsRequest(batch_id=batch.id, wait_until_done=True)
    moment.scene.account.fault(
        kind="slow_send", bytes_per_second=400_000, path="*/content", times=None
    )
    begun = threading.Event()

    def take(message: Any) -> None:
        reading.seen.update(map(row_word, message.results))
        request.resume_token = message.resume_token or request.resume_token
        if message.results:
            begun.set()

    def read() -> Result:
        attempt = moment.stub.stream(moment.stub.batches.StreamBatchResults, request, take)
        reading.complete = attempt.end.ok
        return attempt.end.ok or None, attempt

    with moment.meanwhile(read) as ends:
        assert begun.wait(10)
        moment.restart()
    assert not ends[0][1].end.ok
    assert 0 < reading.seen.total() < rows
    moment.until_well(read)
    judged(moment, judge)


def test_provider_killed_in_an_upload(moment: Moment, judge: Judge) -> None:
    upload: dict[str, Any] = {"pause": 0.05, "jsonl_check": file_service_pb2.JSONL_CHECK_OFF}
    with moment.meanwhile(lambda: moment.stub.upload(bytes(4 * MEGABYTE), **upload)) as ends:
        moment.arrived("/files", size=MEGABYTE)
        moment.scene.sandbox.kill()
        moment.run.inflicted[moment.run.name] += 1
    end = ends[0][1].end
    assert (end.code, end.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    moment.scene.sandbox.start()
    moment.scene.furnish()
    judged(moment, judge)
    assert not moment.run.truth.files


def test_connection_lost_when_all_was_handed_over(moment: Moment, judge: Judge) -> None:
    """Before the answer: the caller cannot know, and the repeat finds the one batch."""
    moment.run.own_statuses |= BROKEN
    moment.scene.account.fault(kind="delay", delay=1.0, method="POST", path="*/batches")
    with moment.meanwhile(lambda: moment.submit(50)) as ends:
        moment.arrived("/batches")
        moment.scene.callers_way.enable(enabled=False)
        moment.run.inflicted[moment.run.name] += 1
    assert ends[0][1].end.code == "UNAVAILABLE"
    moment.scene.callers_way.enable(enabled=True)
    moment.until_well(lambda: moment.submit(50))
    judged(moment, judge)
    assert len(moment.run.truth.batches) == 1


def test_audit_disk_full(moment: Moment, judge: Judge) -> None:
    """The call that meets the full disk is recorded as lost; the next ones are refused, reads are not."""
    uploaded, _ = moment.stub.upload(LINE)
    moment.scene.redirect_audit(Path("/dev/full"))
    moment.run.inflicted[moment.run.name] += 1

    def refused() -> bool:
        _, attempt = moment.stub.upload(LINE)
        return attempt.end.reason == "AUDIT_UNAVAILABLE"

    assert eventually(refused, seconds=10)
    _, attempt = moment.create(uploaded.file.id)
    assert (attempt.end.code, attempt.end.reason) == ("UNAVAILABLE", "AUDIT_UNAVAILABLE")
    request = file_service_pb2.GetFileRequest(file_id=uploaded.file.id)
    assert moment.stub.unary(moment.stub.files.GetFile, request)[0]
    moment.scene.redirect_audit(moment.scene.audit_file)
    moment.until_well(lambda: moment.create(uploaded.file.id))
    assert '"event":"lost"' in moment.scene.audit_file.read_text()
    judged(moment, judge)


def test_sigterm_as_soon_as_it_listens(moment: Moment, judge: Judge) -> None:
    """It ends by itself, with 0."""
    moment.run.inflicted[moment.run.name] += 1
    gateway = moment.scene.gateway
    gateway.kill()
    gateway.start()
    assert gateway.terminate() == 0
    gateway.start()
    judged(moment, judge)
