"""Callers with work to do: each goes through stories, and insists where repeating is safe."""

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from batchgate.v1 import batch_pb2, file_service_pb2
from batchgate.v1 import batch_service_pb2 as pb
from tests.chaos.journal import Attempt, Journal, Reading
from tests.chaos.rows import ENDPOINT, body_of, expected_of, lines_of, row_word
from tests.chaos.stub import Result, Stub

PROVIDERS = ("openai", "azure")
PAUSE_SECONDS = (0.05, 0.3)
# How long a caller goes on repeating when all is well again.
PATIENCE_SECONDS = 25.0


class World:
    """What callers know of the world: when to begin nothing new, and whether all is well."""

    def __init__(self, *, think_seconds: float = 0) -> None:
        """`think_seconds` is how long callers do nothing between two stories, on average."""
        self.think_seconds = think_seconds
        self.stopping = threading.Event()
        self._well_since = float("inf")

    def all_is_well(self) -> None:
        """From now on no fault is at work, and callers finish what they have begun."""
        self.stopping.set()
        self._well_since = time.monotonic()

    def out_of_patience(self) -> bool:
        """Whether what does not work by now should."""
        return time.monotonic() > self._well_since + PATIENCE_SECONDS


class Caller:
    """One caller; `work` runs in a thread of its own."""

    def __init__(self, stub: Stub, world: World, *, seed: str, mark: str) -> None:
        """`seed` says what it will do; its request_ids begin with `mark`."""
        self._stub = stub
        self._world = world
        self._journal: Journal = stub.journal
        self._random = random.Random(seed)
        self._mark = mark
        self._provider = PROVIDERS[0]
        self._life = stub.journal.provider_lives()

    def work(self) -> None:
        """Go through stories until it is time to stop; finish the last one."""
        stories = {
            self.files: 5,
            self.cut_short: 3,
            self.faulty: 2,
            self.batch_of_a_file: 3,
            self.rows: 6,
            self.twins: 1,
            self.looks: 3,
        }
        while not self._world.stopping.is_set():
            (story,) = self._random.choices([*stories], weights=[*stories.values()])
            self._provider = self._random.choice(PROVIDERS)
            self._life = self._journal.provider_lives()
            story()
            self._world.stopping.wait(self._random.uniform(0, 2 * self._world.think_seconds))

    # Stories.

    def files(self) -> None:
        """Upload a file once; if that went well, read it back and perhaps delete it."""
        content, checked = self._content()
        answer, _ = self._stub.upload(content, **self._announced(content, checked=checked))
        if answer is None:
            return
        if self._chance(0.5):
            self._download(answer.file.id, content)
        if self._chance(0.3):
            self._delete(answer.file.id)

    def cut_short(self) -> None:
        """Cancel an upload in the middle."""
        content = self._random.randbytes(self._random.choice([70_000, 700_000, 3_000_000]))
        where = self._random.randrange(len(content))
        self._stub.upload(content, cancel_at=where, **self._announced(b"", checked=False))

    def faulty(self) -> None:
        """Upload what is not as announced, or has faulty lines: never a file."""
        content = lines_of(0, self._random.randrange(2, 200))
        if self._chance(0.5):
            wish: dict[str, Any] = {"sha256": "0" * 64}
        else:
            wish = {"jsonl_check": file_service_pb2.JSONL_CHECK_STRICT}
            content += b"no line\n"
        answer, attempt = self._stub.upload(content, provider=self._provider, **wish)
        if answer is not None:
            self._journal.surprises.append(f"{attempt.filename} is faulty and was taken")

    def batch_of_a_file(self) -> None:
        """Upload, create a batch of it, perhaps cancel it, and follow it to its end."""
        rows = self._random.randrange(1, 40)
        operation = self._journal.number()
        uploaded, _ = self._stub.upload(lines_of(operation, rows), provider=self._provider)
        if uploaded is None:
            return
        batch = self._create(operation, uploaded.file.id, insist=self._chance(0.7))
        if batch is None:
            return
        if cancelled := self._chance(0.3):
            request = pb.CancelBatchRequest(provider=self._provider, batch_id=batch.id)
            self._stub.unary(self._stub.batches.CancelBatch, request)
        self._follow(batch.id)
        self._results(batch.id, expected_of(operation, rows), partial=cancelled)

    def rows(self) -> None:
        """Submit rows, follow the batch, read its results, and retry what failed."""
        operation = self._journal.number()
        rows, failing = self._random.choice([1, 30, 300]), self._random.choice([0, 0, 1, 3])
        lines = [
            pb.BatchLine(
                custom_id=f"{operation}-{row}",
                body_json=body_of(operation, row, fail=row < failing),
            )
            for row in range(rows)
        ]
        in_message = self._random.choice([1, 10, 1000])
        answer = self._submit(operation, lines, insist=self._chance(0.7), in_message=in_message)
        if answer is None:
            return
        if self._chance(0.6):
            self._follow(answer.batch.id)
        failing = min(failing, rows)
        self._results(answer.batch.id, expected_of(operation, rows, failing=failing))
        if failing and self._chance(0.8):
            self._retry(answer.batch.id, operation, failing)

    def twins(self) -> None:
        """Create a batch twice at once under one request_id."""
        operation = self._journal.number()
        content = lines_of(operation, 3)
        uploaded, _ = self._stub.upload(content, provider=self._provider)
        if uploaded is None:
            return
        twins = [
            threading.Thread(target=self._create, args=(operation, uploaded.file.id))
            for _ in range(2)
        ]
        for twin in twins:
            twin.start()
        for twin in twins:
            twin.join()

    def looks(self) -> None:
        """Lists, and what the gateway says of its providers."""
        stub, provider = self._stub, self._provider
        stub.unary(
            stub.files.ListFiles, file_service_pb2.ListFilesRequest(provider=provider, page_size=5)
        )
        request = pb.ListBatchesRequest(provider=provider, page_size=5)
        listed, _ = stub.unary(stub.batches.ListBatches, request)
        if listed and listed.batches:
            stub.unary(
                stub.batches.GetBatch,
                pb.GetBatchRequest(provider=provider, batch_id=listed.batches[0].id),
            )
        stub.health()

    # Steps of stories.

    def _submit(
        self, operation: int, lines: list[pb.BatchLine], *, insist: bool, in_message: int
    ) -> Any:
        """Submit lines; with a request_id, and again until it goes well, or once."""
        metadata = {
            "provider": self._provider,
            "endpoint": ENDPOINT,
            "request_id": f"{self._mark}{operation}" if insist else "",
            "metadata": {"operation": str(operation)},
        }

        def submit() -> Result:
            return self._stub.submit(metadata, lines, rows=in_message, operation=operation)

        return self._insist("submit", submit) if insist else submit()[0]

    def _create(self, operation: int, file_id: str, *, insist: bool = True) -> Any:
        request = pb.CreateBatchRequest(
            provider=self._provider,
            input_file_id=file_id,
            endpoint=ENDPOINT,
            metadata={"operation": str(operation)},
            request_id=f"{self._mark}{operation}" if insist else "",
        )

        def create() -> Result:
            answer, attempt = self._stub.unary(
                self._stub.batches.CreateBatch,
                request,
                operation=operation,
                request_id=request.request_id,
            )
            attempt.batch_id = answer.batch.id if answer else ""
            return answer, attempt

        answer = self._insist("create", create) if insist else create()[0]
        return answer and answer.batch

    def _retry(self, batch_id: str, failed: int, failing: int) -> None:
        """Retry the rows of the operation `failed` that failed."""
        operation = self._journal.number()
        request = pb.RetryBatchRequest(
            provider=self._provider,
            batch_id=batch_id,
            metadata={"operation": str(operation)},
            request_id=f"{self._mark}{operation}",
        )

        def retry() -> Result:
            known = {"operation": operation, "request_id": request.request_id}
            known |= {"filename": f"retry-of-{batch_id}.jsonl"}
            answer, attempt = self._stub.unary(
                self._stub.batches.RetryBatch, request, deadline=10, **known
            )
            if answer:
                attempt.batch_id, attempt.file_id = answer.batch.id, answer.file.id
            return answer, attempt

        if answer := self._insist("retry", retry):
            self._results(answer.batch.id, expected_of(failed, failing))

    def _follow(self, batch_id: str) -> None:
        """Watch a batch, or wait for it, until it is terminal."""
        if self._chance(0.3):
            self._wait(batch_id)
        else:
            self._watch(batch_id)

    def _wait(self, batch_id: str) -> None:
        """Wait until a batch is terminal; again after each break."""
        request = pb.WaitBatchRequest(provider=self._provider, batch_id=batch_id)

        def wait() -> Result:
            answer, attempt = self._stub.unary(self._stub.batches.WaitBatch, request, deadline=10)
            return (answer if answer and answer.done else None), attempt

        self._insist("wait", wait)

    def _watch(self, batch_id: str) -> None:
        """Watch a batch until it is terminal; again after each break."""
        watch = pb.WatchBatchRequest(provider=self._provider, batch_id=batch_id)

        def watched() -> Result:
            statuses: list[Any] = []
            attempt = self._stub.stream(
                self._stub.batches.WatchBatch,
                watch,
                lambda message: statuses.append(message.batch.status),
            )
            if attempt.end.ok:
                self._journal.watches.append(batch_pb2.BatchStatus.Name(statuses[-1]))
            return (statuses if attempt.end.ok else None), attempt

        self._insist("watch", watched)

    def _results(
        self, batch_id: str, expected: Counter[str], *, partial: bool = False, pause: float = 0
    ) -> None:
        """Read all rows, going on by the resume token after each break.

        With so many seconds between two messages.
        """
        reading = Reading(batch_id, expected, partial=partial)
        self._journal.readings.append(reading)
        request = pb.StreamBatchResultsRequest(
            provider=self._provider, batch_id=batch_id, wait_until_done=True
        )

        def take(message: Any) -> None:
            time.sleep(pause)
            reading.seen.update(map(row_word, message.results))
            request.resume_token = message.resume_token or request.resume_token

        def read() -> Result:
            attempt = self._stub.stream(self._stub.batches.StreamBatchResults, request, take)
            reading.breaks += not attempt.end.ok
            return (reading if attempt.end.ok else None), attempt

        reading.complete = self._insist("results", read) is not None

    def _download(self, file_id: str, content: bytes) -> None:
        """Read a file, going on at the offset after each break."""
        digest = hashlib.sha256(content).hexdigest()
        reading = Reading(file_id, Counter([digest]))
        self._journal.readings.append(reading)
        received = bytearray()

        def take(message: Any) -> None:
            if message.offset != len(received):
                self._journal.surprises.append(f"{file_id}: a gap, or bytes twice")
            received.extend(message.chunk)

        def read() -> Result:
            request = file_service_pb2.DownloadFileRequest(
                provider=self._provider, file_id=file_id, read_offset=len(received)
            )
            attempt = self._stub.stream(self._stub.files.DownloadFile, request, take)
            reading.breaks += not attempt.end.ok
            return (reading if attempt.end.ok else None), attempt

        if self._insist("download", read):
            reading.seen[hashlib.sha256(received).hexdigest()] += 1
            reading.complete = True

    def _delete(self, file_id: str) -> None:
        self._journal.deleted.add(file_id)
        request = file_service_pb2.DeleteFileRequest(provider=self._provider, file_id=file_id)

        def delete() -> Result:
            answer, attempt = self._stub.unary(self._stub.files.DeleteFile, request)
            gone = attempt.end.reason == "PROVIDER_NOT_FOUND"
            return (answer or gone or None), attempt

        self._insist("delete", delete)

    def _insist(self, what: str, call: Callable[[], Result]) -> Any:
        """Repeat a call that is safe to repeat until it goes well, or the provider has forgotten."""
        while True:
            answer, attempt = call()
            if answer is not None:
                return answer
            if self._journal.provider_lives() != self._life:
                return None
            if self._world.out_of_patience():
                self._journal.abandoned.append(f"{what}: {described(attempt)}")
                return None
            time.sleep(self._random.uniform(*PAUSE_SECONDS))

    # What is sent.

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _content(self) -> tuple[bytes, bool]:
        """Content of a file, and whether its lines can be checked."""
        if self._chance(0.5):
            return lines_of(0, self._random.choice([1, 30, 3000])), True
        return self._random.randbytes(self._random.choice([0, 1, 3000, 70_000, 3_000_000])), False

    def _announced(self, content: bytes, *, checked: bool) -> dict[str, Any]:
        """Metadata of an upload, which tells size or digest or neither beforehand."""
        check = file_service_pb2.JSONL_CHECK_STRICT if checked else file_service_pb2.JSONL_CHECK_OFF
        told: dict[str, Any] = {"jsonl_check": check, "provider": self._provider}
        if content and self._chance(0.4):
            told["size_bytes"] = len(content)
        if content and self._chance(0.4):
            told["sha256"] = hashlib.sha256(content).hexdigest()
        return told


def described(attempt: Attempt) -> str:
    """A call in a line."""
    return f"{attempt.kind} {attempt.request_id_of_call}: {attempt.end} after {attempt.lasted:.1f} s: {attempt.end.message}"
