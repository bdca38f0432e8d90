"""One batch from upload to tidying up, as a caller of the gateway does it.

One of its lines fails at first, and is retried until all have succeeded.
"""

import json
from collections.abc import Generator, Iterator

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
MOST_RETRIES = 5
ENDPOINT = "/v1/chat/completions"
QUESTIONS = {
    "greeting": "Say hello to a newcomer.",
    "fact": "Tell one fact about gRPC.",
    "farewell": "Say goodbye in one word.",
}
# What the sandbox is asked for: the first two tries of this line fail.
TROUBLE = {"farewell": {"fail": 503, "times": 2}}

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
        self._made: list[str] = []
        self._files = file_service_pb2_grpc.FileServiceStub(channel)
        self._batches = batch_service_pb2_grpc.BatchServiceStub(channel)

    def steps(self) -> Iterator[Step]:
        content = "".join(_line(name, question) for name, question in QUESTIONS.items()).encode()
        uploaded = self._upload(content)
        file, report = uploaded.file, uploaded.report
        yield "uploaded", f"{file.id}, {report.line_count} lines, {report.received_bytes} bytes"
        batch = self._create(file)
        yield "created", batch.id
        for _ in range(MOST_RETRIES):
            results = yield from self._followed(batch)
            if all(result.succeeded for result in results):
                break
            retry = self._retry(batch)
            batch = retry.batch
            yield "retried", f"{batch.id}, {retry.line_count} of the lines once more"
        else:
            raise WalkthroughFailedError(f"{self._provider}: lines fail again and again")
        for id_ in self._made:
            self._delete(id_)
        yield "tidied up", f"{len(self._made)} files deleted"

    def _followed(
        self, batch: batch_pb2.Batch
    ) -> Generator[Step, None, list[batch_service_pb2.BatchResult]]:
        """Watch a batch to its end, and read its results."""
        for news in self._changes(batch):
            batch = news
            yield batch.status_text, _progress(batch.request_counts)
        files = (batch.input_file_id, batch.output_file_id, batch.error_file_id)
        self._made.extend(id_ for id_ in files if id_)
        if batch.status != batch_pb2.BATCH_STATUS_COMPLETED:
            errors = "; ".join(error.message for error in batch.errors)
            raise WalkthroughFailedError(f"{self._provider}: batch {batch.status_text}: {errors}")
        results = []
        for result in self._results(batch):
            results.append(result)
            yield "answer" if result.succeeded else "failed", _told(result)
        return results

    def _upload(self, content: bytes) -> file_service_pb2.UploadFileResponse:
        metadata = file_service_pb2.UploadFileMetadata(
            provider=self._provider,
            filename="demo.jsonl",
            purpose="batch",
            size_bytes=len(content),
            endpoint=ENDPOINT,
            wait_until_processed=True,
        )
        requests = [
            file_service_pb2.UploadFileRequest(metadata=metadata),
            file_service_pb2.UploadFileRequest(chunk=content),
        ]
        return self._files.UploadFile(iter(requests), timeout=CALL_SECONDS)

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

    def _results(self, batch: batch_pb2.Batch) -> Iterator[batch_service_pb2.BatchResult]:
        request = batch_service_pb2.StreamBatchResultsRequest(
            provider=self._provider, batch_id=batch.id
        )
        for message in self._batches.StreamBatchResults(request, timeout=CALL_SECONDS):
            yield from message.results

    def _retry(self, batch: batch_pb2.Batch) -> batch_service_pb2.RetryBatchResponse:
        request = batch_service_pb2.RetryBatchRequest(provider=self._provider, batch_id=batch.id)
        return self._batches.RetryBatch(request, timeout=CALL_SECONDS)

    def _delete(self, file_id: str) -> None:
        request = file_service_pb2.DeleteFileRequest(provider=self._provider, file_id=file_id)
        self._files.DeleteFile(request, timeout=CALL_SECONDS)

    def _late(self, what: str) -> WalkthroughFailedError:
        return WalkthroughFailedError(f"{self._provider}: {what} after {BATCH_SECONDS:g} s")


def _line(custom_id: str, question: str) -> str:
    body: dict[str, object] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": question}],
    }
    if custom_id in TROUBLE:
        body["sandbox"] = TROUBLE[custom_id]
    line = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line) + "\n"


def _state(batch: batch_pb2.Batch) -> tuple[str, batch_pb2.BatchRequestCounts]:
    return batch.status_text, batch.request_counts


def _progress(counts: batch_pb2.BatchRequestCounts) -> str:
    if not counts.total:
        return "not counted yet"
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{counts.completed} of {counts.total} done{failed}"


def _told(result: batch_service_pb2.BatchResult) -> str:
    """What became of one line."""
    if not result.succeeded:
        return f"{result.custom_id}: HTTP status {result.response.status_code}"
    body = json.loads(result.response.body_json)
    return f"{result.custom_id}: {body['choices'][0]['message']['content']}"
