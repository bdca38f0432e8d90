"""The walk through one batch, against a gateway that answers as it is told."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from typing_extensions import override

from batchgate.v1 import (
    batch_pb2,
    batch_service_pb2,
    batch_service_pb2_grpc,
    file_pb2,
    file_service_pb2,
    file_service_pb2_grpc,
)
from batchgate_client.cli import walkthrough
from batchgate_client.cli.walkthrough import WalkthroughFailedError, walk_through

BODY = '{"choices": [{"message": {"content": "hi"}}]}'
GOOD = batch_service_pb2.BatchResult(
    custom_id="one",
    succeeded=True,
    response=batch_service_pb2.BatchResultResponse(status_code=200, body_json=BODY),
)
BAD = batch_service_pb2.BatchResult(
    custom_id="two", response=batch_service_pb2.BatchResultResponse(status_code=503)
)


class Files(file_service_pb2_grpc.FileServiceServicer):
    """Files that are taken as they are."""

    def __init__(self) -> None:
        self.uploaded = b""
        self.deleted: list[str] = []

    @override
    def UploadFile(
        self, request_iterator: Any, context: Any
    ) -> file_service_pb2.UploadFileResponse:
        metadata, *chunks = request_iterator
        self.uploaded = b"".join(chunk.chunk for chunk in chunks)
        assert metadata.metadata.size_bytes == len(self.uploaded)
        assert metadata.metadata.wait_until_processed
        report = file_service_pb2.UploadReport(line_count=3, received_bytes=len(self.uploaded))
        return file_service_pb2.UploadFileResponse(file=file_pb2.File(id="file-in"), report=report)

    @override
    def GetFile(self, request: Any, context: Any) -> file_service_pb2.GetFileResponse:
        raise NotImplementedError

    @override
    def DownloadFile(
        self, request: Any, context: Any
    ) -> Iterator[file_service_pb2.DownloadFileResponse]:
        raise NotImplementedError

    @override
    def DeleteFile(self, request: Any, context: Any) -> file_service_pb2.DeleteFileResponse:
        self.deleted.append(request.file_id)
        return file_service_pb2.DeleteFileResponse(file_id=request.file_id, deleted=True)

    @override
    def ListFiles(self, request: Any, context: Any) -> file_service_pb2.ListFilesResponse:
        raise NotImplementedError


class Batches(batch_service_pb2_grpc.BatchServiceServicer):
    """Batches that go through given states, with given results one batch after the other."""

    def __init__(self) -> None:
        self.states: list[batch_pb2.Batch] = []
        self.results = [[GOOD]]

    @override
    def CreateBatch(self, request: Any, context: Any) -> batch_service_pb2.CreateBatchResponse:
        if not self.states:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "over the quota")
        return batch_service_pb2.CreateBatchResponse(batch=self.states.pop(0))

    @override
    def WatchBatch(
        self, request: Any, context: Any
    ) -> Iterator[batch_service_pb2.WatchBatchResponse]:
        over = threading.Event()
        context.add_callback(over.set)
        ended = {batch_pb2.BATCH_STATUS_COMPLETED, batch_pb2.BATCH_STATUS_FAILED}
        for batch in self.states:
            yield batch_service_pb2.WatchBatchResponse(batch=batch)
            if batch.status in ended:
                return
        if not self.states:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        over.wait()

    @override
    def GetBatch(self, request: Any, context: Any) -> batch_service_pb2.GetBatchResponse:
        raise NotImplementedError

    @override
    def ListBatches(self, request: Any, context: Any) -> batch_service_pb2.ListBatchesResponse:
        raise NotImplementedError

    @override
    def CancelBatch(self, request: Any, context: Any) -> batch_service_pb2.CancelBatchResponse:
        raise NotImplementedError

    @override
    def WaitBatch(self, request: Any, context: Any) -> batch_service_pb2.WaitBatchResponse:
        raise NotImplementedError

    @override
    def SubmitBatch(
        self, request_iterator: Any, context: Any
    ) -> batch_service_pb2.SubmitBatchResponse:
        raise NotImplementedError

    @override
    def StreamBatchResults(
        self, request: Any, context: Any
    ) -> Iterator[batch_service_pb2.StreamBatchResultsResponse]:
        results = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        yield batch_service_pb2.StreamBatchResultsResponse(results=results)

    @override
    def RetryBatch(self, request: Any, context: Any) -> batch_service_pb2.RetryBatchResponse:
        self.states = self.states[-1:]
        return batch_service_pb2.RetryBatchResponse(batch=self.states[0], line_count=1)


def state(name: str, completed: int = 0, failed: int = 0, **more: Any) -> batch_pb2.Batch:
    return batch_pb2.Batch(
        id="batch_1",
        status=batch_pb2.BatchStatus.Value(f"BATCH_STATUS_{name.upper()}"),
        status_text=name,
        request_counts=batch_pb2.BatchRequestCounts(
            total=0 if name == "validating" else 3, completed=completed, failed=failed
        ),
        **more,
    )


Gateway = tuple[str, Files, Batches]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    files, batches = Files(), Batches()
    server = grpc.server(ThreadPoolExecutor(2))
    file_service_pb2_grpc.add_FileServiceServicer_to_server(files, server)
    batch_service_pb2_grpc.add_BatchServiceServicer_to_server(batches, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", files, batches
    server.stop(None).wait()


def test_every_change_is_told_once(gateway: Gateway) -> None:
    address, files, batches = gateway
    files_of = {"output_file_id": "file-out", "error_file_id": "file-err"}
    done = state("completed", 2, 1, input_file_id="file-in", **files_of)
    batches.results = [[GOOD, BAD], [GOOD]]
    running = state("in_progress", 1)
    batches.states = [state("validating"), running, running, state("finalizing", 2, 1), done]
    assert list(walk_through(address, "openai")) == [
        ("uploaded", f"file-in, 3 lines, {len(files.uploaded)} bytes"),
        ("created", "batch_1"),
        ("validating", "not counted yet"),
        ("in_progress", "1 of 3 done"),
        ("finalizing", "2 of 3 done, 1 failed"),
        ("completed", "2 of 3 done, 1 failed"),
        ("answer", "one: hi"),
        ("failed", "two: HTTP status 503"),
        ("retried", "batch_1, 1 of the lines once more"),
        ("completed", "2 of 3 done, 1 failed"),
        ("answer", "one: hi"),
        ("tidied up", "6 files deleted"),
    ]
    assert files.deleted == ["file-in", "file-out", "file-err"] * 2


def test_lines_that_never_succeed(gateway: Gateway) -> None:
    gateway[2].states = [state("validating"), state("completed")]
    gateway[2].results = [[BAD]]
    with pytest.raises(WalkthroughFailedError, match=r"^azure: lines fail again and again$"):
        list(walk_through(gateway[0], "azure"))


def test_a_batch_that_fails(gateway: Gateway) -> None:
    address, _, batches = gateway
    errors = [batch_pb2.BatchError(message="no such model"), batch_pb2.BatchError(message="odd")]
    batches.states = [state("validating"), state("failed", errors=errors)]
    with pytest.raises(WalkthroughFailedError, match=r"^azure: batch failed: no such model; odd$"):
        list(walk_through(address, "azure"))


def test_a_call_that_fails(gateway: Gateway) -> None:
    with pytest.raises(WalkthroughFailedError) as caught:
        list(walk_through(gateway[0], "azure"))
    assert str(caught.value) == "azure: RESOURCE_EXHAUSTED: over the quota"


def test_a_watch_that_breaks_off(gateway: Gateway) -> None:
    gateway[2].states = [state("validating")]
    with pytest.raises(WalkthroughFailedError, match=r"^azure: UNAVAILABLE: going away$"):
        list(walk_through(gateway[0], "azure"))


def test_a_batch_that_never_ends(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    address, _, batches = gateway
    batches.states = [state("validating"), state("in_progress")]
    monkeypatch.setattr(walkthrough, "BATCH_SECONDS", 0.05)
    with pytest.raises(WalkthroughFailedError, match=r"^openai: the batch .* after 0.05 s$"):
        list(walk_through(address, "openai"))
