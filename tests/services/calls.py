"""Unary calls by name, so that tests can treat them as data."""

from collections.abc import Mapping
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from tests.conftest import Gateway
from tests.status import Failure, failure_of

# Each with the least that a request needs.
CALLS: Mapping[str, tuple[Any, Mapping[str, Any]]] = {
    "CreateBatch": (
        batch_service_pb2.CreateBatchRequest,
        {"input_file_id": "file-1", "endpoint": "/v1/chat/completions"},
    ),
    "GetBatch": (batch_service_pb2.GetBatchRequest, {"batch_id": "batch_1"}),
    "ListBatches": (batch_service_pb2.ListBatchesRequest, {}),
    "CancelBatch": (batch_service_pb2.CancelBatchRequest, {"batch_id": "batch_1"}),
    "GetFile": (file_service_pb2.GetFileRequest, {"file_id": "file-1"}),
    "ListFiles": (file_service_pb2.ListFilesRequest, {}),
    "DeleteFile": (file_service_pb2.DeleteFileRequest, {"file_id": "file-1"}),
    "ListProviders": (provider_service_pb2.ListProvidersRequest, {}),
}
OF_PROVIDERS = [name for name in CALLS if name != "ListProviders"]
"""Those that go to one provider."""


def call(gateway: Gateway, name: str, **fields: Any) -> Any:
    """The call, to be awaited. `_timeout` and `_metadata` are gRPC's own, not fields."""
    options = {key[1:]: fields.pop(key) for key in list(fields) if key.startswith("_")}
    request, least = CALLS[name]
    method = next(
        getattr(stub, name)
        for stub in (gateway.batches, gateway.files, gateway.providers)
        if hasattr(stub, name)
    )
    return method(request(**{**least, **fields}), **options)


async def failed(gateway: Gateway, name: str, **fields: Any) -> Failure:
    """How the call fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(gateway, name, **fields)
    return failure_of(caught.value)
