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

LINE = '{"custom_id": "one", "response": {"body": {"choices": [{"message": {"content": "hi"}}]}}}\n'


class Files(file_service_pb2_grpc.FileServiceServicer):
    """Files that are processed at the second look."""

    def __init__(self) -> None:
        self.uploaded = b""
        self.statuses = [file_pb2.FILE_STATUS_PENDING, file_pb2.FILE_STATUS_PROCESSED]
        self.deleted: list[str] = []

    @override
    def UploadFile(
        self, request_iterator: Any, context: Any
    ) -> file_service_pb2.UploadFileResponse:
        metadata, *chunks = request_iterator
        self.uploaded = b"".join(chunk.chunk for chunk in chunks)
        assert metadata.metadata.size_bytes == len(self.uploaded)
        return file_service_pb2.UploadFileResponse(file=file_pb2.File(id="file-in"))

    @override
    def GetFile(self, request: Any, context: Any) -> file_service_pb2.GetFileResponse:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return file_service_pb2.GetFileResponse(file=file_pb2.File(id="file-in", status=status))

    @override
    def DownloadFile(
        self, request: Any, context: Any
    ) -> Iterator[file_service_pb2.DownloadFileResponse]:
        content = LINE.encode()
        yield file_service_pb2.DownloadFileResponse(chunk=content[:20])
        yield file_service_pb2.DownloadFileResponse(chunk=content[20:], offset=20)

    @override
    def DeleteFile(self, request: Any, context: Any) -> file_service_pb2.DeleteFileResponse:
        self.deleted.append(request.file_id)
        return file_service_pb2.DeleteFileResponse(file_id=request.file_id, deleted=True)

    @override
    def ListFiles(self, request: Any, context: Any) -> file_service_pb2.ListFilesResponse:
        raise NotImplementedError


class Batches(batch_service_pb2_grpc.BatchServiceServicer):
    """A batch that goes through given states."""

    def __init__(self) -> None:
        self.states: list[batch_pb2.Batch] = []

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
        raise NotImplementedError

    @override
    def RetryBatch(self, request: Any, context: Any) -> batch_service_pb2.RetryBatchResponse:
        raise NotImplementedError


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
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setattr(walkthrough, "POLL_SECONDS", 0)
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
    done = state("completed", 2, 1, output_file_id="file-out", error_file_id="file-err")
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
        ("tidied up", "3 files deleted"),
    ]
    assert files.deleted == ["file-in", "file-out", "file-err"]


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


@pytest.mark.parametrize("what", ["file", "batch"])
def test_what_never_ends(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    address, files, batches = gateway
    batches.states = [state("validating"), state("in_progress")]
    if what == "file":
        files.statuses = [file_pb2.FILE_STATUS_PENDING]
    monkeypatch.setattr(walkthrough, "BATCH_SECONDS", 0.05)
    with pytest.raises(WalkthroughFailedError, match=f"^openai: the {what} .* after 0.05 s$"):
        list(walk_through(address, "openai"))
