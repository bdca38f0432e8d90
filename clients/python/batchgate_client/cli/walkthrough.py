"""One batch from upload to tidying up, as a caller of the gateway does it."""

import json
import time
from collections.abc import Iterator

import grpc

from batchgate.v1 import (
    batch_pb2,
    batch_service_pb2,
    batch_service_pb2_grpc,
    file_pb2,
    file_service_pb2,
    file_service_pb2_grpc,
)

CALL_SECONDS = 30.0
BATCH_SECONDS = 120.0
POLL_SECONDS = 0.05
ENDPOINT = "/v1/chat/completions"
QUESTIONS = {
    "greeting": "Say hello to a newcomer.",
    "fact": "Tell one fact about gRPC.",
    "farewell": "Say goodbye in one word.",
}
_PROCESSING = frozenset({file_pb2.FILE_STATUS_PENDING, file_pb2.FILE_STATUS_RUNNING})

# A word for what happened, and the details.
Step = tuple[str, str]


class WalkthroughFailedError(Exception):
    """A call failed, or the batch did not complete."""


def walk_through(address: str, provider: str) -> Iterator[Step]:
    """Run one batch on the provider through the gateway at `address`, and tell each step.

    Raises:
        WalkthroughFailedError: with what went wrong, in one line.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            yield from _Walk(channel, provider).steps()
        except grpc.RpcError as error:
            # What the stubs raise is a Call too, though its type does not say so.
            reason = f"{error.code().name}: {error.details()}"
            raise WalkthroughFailedError(f"{provider}: {reason}") from error


class _Walk:
    def __init__(self, channel: grpc.Channel, provider: str) -> None:
        self._provider = provider
        self._files = file_service_pb2_grpc.FileServiceStub(channel)
        self._batches = batch_service_pb2_grpc.BatchServiceStub(channel)

    def steps(self) -> Iterator[Step]:
        content = "".join(_line(name, question) for name, question in QUESTIONS.items()).encode()
        file = self._upload(content)
        yield "uploaded", f"{file.id}, {len(QUESTIONS)} lines, {len(content)} bytes"
        self._wait_until_processed(file)
        created = batch = self._create(file)
        yield "created", batch.id
        for batch in self._changes(created):
            yield batch.status_text, _progress(batch.request_counts)
        if batch.status != batch_pb2.BATCH_STATUS_COMPLETED:
            errors = "; ".join(error.message for error in batch.errors)
            raise WalkthroughFailedError(f"{self._provider}: batch {batch.status_text}: {errors}")
        for line in self._download(batch.output_file_id).splitlines():
            yield "answer", _answer(line)
        files = [id_ for id_ in (file.id, batch.output_file_id, batch.error_file_id) if id_]
        for id_ in files:
            self._delete(id_)
        yield "tidied up", f"{len(files)} files deleted"

    def _upload(self, content: bytes) -> file_pb2.File:
        metadata = file_service_pb2.UploadFileMetadata(
            provider=self._provider,
            filename="demo.jsonl",
            purpose="batch",
            size_bytes=len(content),
        )
        requests = [
            file_service_pb2.UploadFileRequest(metadata=metadata),
            file_service_pb2.UploadFileRequest(chunk=content),
        ]
        return self._files.UploadFile(iter(requests), timeout=CALL_SECONDS).file

    def _wait_until_processed(self, file: file_pb2.File) -> None:
        request = file_service_pb2.GetFileRequest(provider=self._provider, file_id=file.id)
        for _ in self._polls("the file is not processed"):
            file = self._files.GetFile(request, timeout=CALL_SECONDS).file
            if file.status not in _PROCESSING:
                return

    def _create(self, file: file_pb2.File) -> batch_pb2.Batch:
        request = batch_service_pb2.CreateBatchRequest(
            provider=self._provider, input_file_id=file.id, endpoint=ENDPOINT
        )
        return self._batches.CreateBatch(request, timeout=CALL_SECONDS).batch

    def _changes(self, batch: batch_pb2.Batch) -> Iterator[batch_pb2.Batch]:
        request = batch_service_pb2.WatchBatchRequest(provider=self._provider, batch_id=batch.id)
        yield batch
        try:
            for news in self._batches.WatchBatch(request, timeout=BATCH_SECONDS):
                before, batch = batch, news.batch
                if _state(batch) != _state(before):
                    yield batch
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
            raise self._late("the batch has not ended") from error

    def _download(self, file_id: str) -> str:
        request = file_service_pb2.DownloadFileRequest(provider=self._provider, file_id=file_id)
        answers = self._files.DownloadFile(request, timeout=CALL_SECONDS)
        return b"".join(answer.chunk for answer in answers).decode()

    def _delete(self, file_id: str) -> None:
        request = file_service_pb2.DeleteFileRequest(provider=self._provider, file_id=file_id)
        self._files.DeleteFile(request, timeout=CALL_SECONDS)

    def _polls(self, otherwise: str) -> Iterator[None]:
        end = time.monotonic() + BATCH_SECONDS
        while time.monotonic() < end:
            yield
            time.sleep(POLL_SECONDS)
        raise self._late(otherwise)

    def _late(self, what: str) -> WalkthroughFailedError:
        return WalkthroughFailedError(f"{self._provider}: {what} after {BATCH_SECONDS:g} s")


def _line(custom_id: str, question: str) -> str:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line) + "\n"


def _state(batch: batch_pb2.Batch) -> tuple[str, batch_pb2.BatchRequestCounts]:
    return batch.status_text, batch.request_counts


def _progress(counts: batch_pb2.BatchRequestCounts) -> str:
    if not counts.total:
        return "not counted yet"
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{counts.completed} of {counts.total} done{failed}"


def _answer(line: str) -> str:
    """What the model said, of one line of the output file."""
    result = json.loads(line)
    message = result["response"]["body"]["choices"][0]["message"]
    return f"{result['custom_id']}: {message['content']}"
