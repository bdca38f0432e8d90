"""A receiver of OpenTelemetry's protocol: a gRPC server that keeps the spans it is sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from tests.secret_search import collect
from tests.waiting import eventually

SERVER, CLIENT = 2, 3
ERROR = 2


@dataclass(frozen=True)
class Received:
    """A span as it came."""

    span: Any
    resource: dict[str, Any]

    @property
    def name(self) -> str:
        name: str = self.span.name
        return name

    @property
    def trace_id(self) -> str:
        trace_id: str = self.span.trace_id.hex()
        return trace_id

    @property
    def values(self) -> dict[str, Any]:
        """Its attributes."""
        return values(self.span.attributes)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """What happened meanwhile."""
        return [(event.name, values(event.attributes)) for event in self.span.events]


def values(attributes: Any) -> dict[str, Any]:
    """Attributes by their names."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


class Receiver(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what is exported."""

    def __init__(self) -> None:
        self.address = ""
        self.spans: list[Received] = []

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        collect("traces", str(request))
        for resource in request.resource_spans:
            of = values(resource.resource.attributes)
            for scope in resource.scope_spans:
                self.spans += [Received(span, of) for span in scope.spans]
        return pb.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Received]:
        """The spans of a name."""
        return [one for one in self.spans if one.name == name]

    async def span(self, name: str) -> Received:
        """The first span of a name, once it is there."""
        await eventually(lambda: self.named(name))
        return self.named(name)[0]


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()
    server = grpc.aio.server()
    # Generated without types.
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server
    add(receiver, server)
    port = server.add_insecure_port("127.0.0.1:0")
    receiver.address = f"http://127.0.0.1:{port}"
    await server.start()
    try:
        yield receiver
    finally:
        await server.stop(None)
