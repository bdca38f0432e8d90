"""All RPCs of the contract, from its descriptors, called with bytes: what no stub would send."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from batchgate_client._async.runtime import result_of
from tests.status import Failure, failure_of


@dataclass(frozen=True)
class Rpc:
    """One RPC."""

    descriptor: MethodDescriptor

    @property
    def name(self) -> str:
        return self.descriptor.name

    @property
    def path(self) -> str:
        return f"/{self.descriptor.containing_service.full_name}/{self.name}"

    @cached_property
    def request(self) -> type[Message]:
        return GetMessageClass(self.descriptor.input_type)

    @property
    def asks(self) -> Descriptor:
        """The message whose fields say what is wanted: the request, or a stream's `metadata`."""
        metadata = self.descriptor.input_type.fields_by_name.get("metadata")
        if self.descriptor.client_streaming and metadata is not None:
            assert metadata.message_type is not None
            return metadata.message_type
        return self.descriptor.input_type

    def first(self, **fields: Any) -> Message:
        """The request, or the first message of its stream, with these fields."""
        wanted = GetMessageClass(self.asks)(**fields)
        return self.request(metadata=wanted) if self.descriptor.client_streaming else wanted

    @property
    def place(self) -> str:
        """What stands before a field's name in an error."""
        return "metadata." if self.descriptor.client_streaming else ""


RPCS = {
    method.name: Rpc(method)
    for module in (batch_service_pb2, file_service_pb2, provider_service_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


def string_fields(rpc: Rpc) -> list[FieldDescriptor]:
    """The plain string fields of what an RPC asks."""
    return [
        each
        for each in rpc.asks.fields
        if each.type == FieldDescriptor.TYPE_STRING and not each.is_repeated
    ]


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: grpc.StatusCode
    message: str
    trailing: dict[str, Any]
    answers: list[bytes] = field(default_factory=list)
    failure: Failure | None = None

    @property
    def reason(self) -> str:
        """The reason, where the gateway itself refused."""
        return self.failure.reason if self.failure else ""

    @property
    def told(self) -> str:
        """All that the caller gets to see of an error."""
        return f"{self.code} {self.message} {self.trailing} {self.failure}"


async def send(
    channel: grpc.aio.Channel,
    rpc: Rpc,
    messages: Sequence[bytes],
    *,
    metadata: Sequence[tuple[str, str | bytes]] = (),
    timeout: float = 20,  # noqa: ASYNC109 - gRPC's own
    **options: Any,
) -> Outcome:
    """Call with these messages as they are; a stream ends after the last one."""
    shape = (
        f"{'stream' if rpc.descriptor.client_streaming else 'unary'}_"
        f"{'stream' if rpc.descriptor.server_streaming else 'unary'}"
    )
    multi: Any = getattr(channel, shape)(rpc.path)

    async def stream() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    request = stream() if rpc.descriptor.client_streaming else messages[0]
    call = multi(request, metadata=metadata, timeout=timeout, **options)
    answers: list[bytes] = []
    try:
        if rpc.descriptor.server_streaming:
            answers += [answer async for answer in call]
        else:
            answers.append(await result_of(call))
    except grpc.aio.AioRpcError as exc:
        trailing = dict(exc.trailing_metadata() or ())
        return Outcome(
            code=exc.code(),
            message=exc.details() or "",
            trailing=trailing,
            answers=answers,
            failure=failure_of(exc) if "grpc-status-details-bin" in trailing else None,
        )
    except asyncio.CancelledError:
        # grpc.aio's client says so where a call ended while it still wrote.
        if not call.done():
            raise
    return Outcome(
        code=await call.code(),
        message=await call.details() or "",
        trailing=dict(await call.trailing_metadata() or ()),
        answers=answers,
    )
