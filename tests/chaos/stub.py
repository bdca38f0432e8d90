"""Calls by the synchronous stubs, each with a deadline and an entry in the journal."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from batchgate.v1 import (
    batch_service_pb2,
    batch_service_pb2_grpc,
    file_service_pb2,
    file_service_pb2_grpc,
    provider_service_pb2,
    provider_service_pb2_grpc,
)
from tests.chaos.journal import Attempt, End, Journal, end_of

UNARY_SECONDS = 6.0
STREAM_SECONDS = 15.0
CHUNK = 64 * 1024
OPTIONS = [
    # Channels to one address would share a connection otherwise.
    ("grpc.use_local_subchannel_pool", 1),
    # Ways that come back are tried again soon: faults here last for seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 500),
]
Result = tuple[Any, Attempt]


class Stub:
    """One caller's connection, and what it can call. A result of None tells that a call failed."""

    def __init__(self, address: str, journal: Journal) -> None:
        self.journal = journal
        self.channel = grpc.insecure_channel(address, options=OPTIONS)
        self.files: Any = file_service_pb2_grpc.FileServiceStub(self.channel)
        self.batches: Any = batch_service_pb2_grpc.BatchServiceStub(self.channel)
        self.providers: Any = provider_service_pb2_grpc.ProviderServiceStub(self.channel)

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()

    def unary(
        self,
        method: Callable[..., Any],
        request: Any,
        *,
        deadline: float = UNARY_SECONDS,
        **known: Any,
    ) -> Result:
        """A call of one request and one answer."""
        kind = type(request).__name__.removesuffix("Request")
        attempt = self.journal.begin(kind, deadline=deadline, **known)
        try:
            answer = method(request, timeout=deadline, metadata=attempt.metadata)
        except grpc.RpcError as error:
            self.journal.over(attempt, end_of(error))
            return None, attempt
        self.journal.over(attempt, End("OK"))
        return answer, attempt

    def stream(
        self,
        method: Callable[..., Any],
        request: Any,
        take: Callable[[Any], None],
        *,
        deadline: float = STREAM_SECONDS,
    ) -> Attempt:
        """A call whose answers come one after the other."""
        kind = type(request).__name__.removesuffix("Request")
        attempt = self.journal.begin(kind, deadline=deadline)
        try:
            for message in method(request, timeout=deadline, metadata=attempt.metadata):
                take(message)
        except grpc.RpcError as error:
            self.journal.over(attempt, end_of(error))
        else:
            self.journal.over(attempt, End("OK"))
        return attempt

    def upload(
        self, content: bytes, *, cancel_at: int | None = None, pause: float = 0, **metadata: Any
    ) -> Result:
        """UploadFile under a name of its own, with so many seconds between its chunks.

        Cancelled when `cancel_at` bytes are handed over.
        """
        attempt = self.journal.begin(
            "UploadFile",
            deadline=STREAM_SECONDS,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            whole=False,
        )
        attempt.filename = f"upload-{attempt.number}.jsonl"
        fields = {"filename": attempt.filename, "purpose": "batch", **metadata}

        def messages() -> Iterator[Any]:
            yield file_service_pb2.UploadFileRequest(
                metadata=file_service_pb2.UploadFileMetadata(**fields)
            )
            for start in range(0, max(len(content), 1), CHUNK):
                if cancel_at is not None and start >= cancel_at:
                    return
                time.sleep(pause)
                yield file_service_pb2.UploadFileRequest(chunk=content[start : start + CHUNK])

        cancelled = cancel_at is not None
        return self._sending(self.files.UploadFile, messages(), attempt, cancelled=cancelled)

    def submit(
        self, metadata: dict[str, Any], lines: list[Any], *, rows: int, operation: int
    ) -> Result:
        """SubmitBatch of lines, so many rows in a message, under a file name of its own."""
        attempt = self.journal.begin(
            "SubmitBatch",
            deadline=STREAM_SECONDS,
            operation=operation,
            request_id=metadata["request_id"],
            whole=False,
        )
        attempt.filename = f"submit-{attempt.number}.jsonl"
        first = batch_service_pb2.SubmitBatchMetadata(filename=attempt.filename, **metadata)

        def messages() -> Iterator[Any]:
            yield batch_service_pb2.SubmitBatchRequest(metadata=first)
            for start in range(0, len(lines), rows):
                some = batch_service_pb2.BatchLines(lines=lines[start : start + rows])
                yield batch_service_pb2.SubmitBatchRequest(lines=some)

        return self._sending(self.batches.SubmitBatch, messages(), attempt)

    def health(self) -> Result:
        """ListProviders with a look at each provider."""
        request = provider_service_pb2.ListProvidersRequest(check_health=True)
        return self.unary(self.providers.ListProviders, request)

    def _sending(
        self,
        method: Any,
        messages: Iterator[Any],
        attempt: Attempt,
        *,
        cancelled: bool = False,
    ) -> Result:
        """A call of many messages; `cancelled` where they end."""
        begun = threading.Event()
        calls: list[Any] = []

        def noted() -> Iterator[Any]:
            yield from messages
            if cancelled:
                begun.wait()
                attempt.cancelled = True
                calls[0].cancel()
            else:
                # gRPC asks for more only to learn that there is none; then it tells the end.
                attempt.whole = True

        calls.append(method.future(noted(), timeout=attempt.deadline, metadata=attempt.metadata))
        begun.set()
        try:
            answer = calls[0].result()
        except grpc.RpcError as error:
            self.journal.over(attempt, end_of(error))
            return None, attempt
        except grpc.FutureCancelledError:
            self.journal.over(attempt, end_of(calls[0]))
            return None, attempt
        self.journal.over(attempt, End("OK"))
        attempt.file_id = answer.file.id
        attempt.batch_id = getattr(getattr(answer, "batch", None), "id", "")
        return answer, attempt
