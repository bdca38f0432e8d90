"""The contract's stubs on a channel of grpc.aio, which keep the status of a refused upload."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

import grpc

from batchgate.v1 import batch_service_pb2_grpc, file_service_pb2_grpc
from batchgate_client._async.runtime import endings, result_of

if TYPE_CHECKING:  # The types are there for type checkers alone.
    from batchgate.v1.batch_service_pb2_grpc import BatchServiceAsyncStub
    from batchgate.v1.file_service_pb2_grpc import FileServiceAsyncStub


def file_stub(channel: grpc.aio.Channel) -> "FileServiceAsyncStub":
    """The stub of FileService."""
    stub = file_service_pb2_grpc.FileServiceStub(channel)
    stub.UploadFile = _kept(stub.UploadFile)
    return stub


def batch_stub(channel: grpc.aio.Channel) -> "BatchServiceAsyncStub":
    """The stub of BatchService."""
    stub = batch_service_pb2_grpc.BatchServiceStub(channel)
    stub.SubmitBatch = _kept(stub.SubmitBatch)
    return stub


def _kept(method: Callable[..., Any]) -> Any:
    return lambda *request, **options: _Kept(method(*request, **options))


class _Kept:
    """A call whose caller streams.

    A refusal that comes while it still sends is as good as lost in grpc.aio itself, see `result_of`;
    how often depends on the moment.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._ended = endings(call)

    def __await__(self) -> Generator[Any, None, Any]:
        return result_of(self._call, self._ended).__await__()

    def __getattr__(self, name: str) -> object:
        return getattr(self._call, name)
