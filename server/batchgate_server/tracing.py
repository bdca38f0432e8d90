"""Traces of RPCs and of the requests to providers that they make, by OpenTelemetry.

Needs the extra `otel`. A span has names, numbers and ids, and no content. Providers are told nothing
of a trace.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import IO, cast

from grpc import StatusCode
from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, set_span_in_context
from opentelemetry.trace import StatusCode as SpanStatus
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from batchgate_server.call import Call, current_call
from batchgate_server.metrics.operations import operation_of
from batchgate_server.observer import FIRST_ERROR_STATUS, Exchange, Metadata, Observer
from batchgate_server.settings import ConfigurationError, Problem
from batchgate_server.settings.tracing import EXPORTER, Exporter
from batchgate_server.stderr import STDERR
from batchgate_server.version import VERSION

# A span is sent when it ends. One that goes on for longer is cut, at its next event, into pieces that
# are linked: a watch of a day is seen while it lasts.
PIECE_SECONDS = 300.0
LAST_SECONDS = 5.0
PARENTS = frozenset({"traceparent", "tracestate"})
# What OpenTelemetry's conventions for servers call an error.
FAILURES = frozenset(
    {
        *(StatusCode.UNKNOWN, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNIMPLEMENTED),
        *(StatusCode.INTERNAL, StatusCode.UNAVAILABLE, StatusCode.DATA_LOSS),
    }
)
MODULES = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
}


@dataclass(slots=True)
class _Trace:
    """The span of an RPC, or its newest piece."""

    span: Span
    parent: Context
    began: float = field(default_factory=time.monotonic)
    pieces: int = 1


class Tracing(Observer):
    """Makes spans of what it is told."""

    name = "traces"

    def __init__(self, exporter: Exporter) -> None:
        """Begin to export.

        Raises:
            ConfigurationError: what is needed for it is not installed.
        """
        own = Resource({"service.name": "batchgate", "service.version": VERSION})
        self._provider = TracerProvider(
            resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(_exporter(exporter)))
        self._tracer = self._provider.get_tracer("batchgate", VERSION)
        self._propagator = TraceContextTextMapPropagator()

    async def aclose(self) -> None:
        """Send what was not sent yet, but not for longer than `LAST_SECONDS`."""
        loop, ended = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            self._provider.shutdown()
            # Whoever does not take traces may have outlasted the loop.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

        # No thread of the loop's, which would wait for its end.
        threading.Thread(target=end, daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await ended.wait()

    @override
    def call_began(self, call: Call, metadata: Metadata) -> None:
        carrier = {key: value for key, value in metadata if key in PARENTS}
        parent = self._propagator.extract(carrier, context=Context())
        span = self._span(call, parent)
        call.trace = _Trace(span, parent)
        call.trace_id = f"{span.get_span_context().trace_id:032x}"

    @override
    def call_ended(
        self, call: Call, code: StatusCode, reason: str, *, error: BaseException | None
    ) -> None:
        if not isinstance(call.trace, _Trace):
            return
        span = call.trace.span
        number: int = code.value[0]
        span.set_attributes(
            {
                "rpc.grpc.status_code": number,
                "batchgate.caller": call.caller.name,
                "batchgate.provider": call.provider,
                "batchgate.retries": call.retries,
                "batchgate.received_bytes": call.received_bytes,
                "batchgate.sent_bytes": call.sent_bytes,
                **{f"batchgate.{name}": value for name, value in call.ids.items()},
            }
        )
        if reason:
            span.set_attribute("error.type", reason)
        if call.provider_request_id:
            span.set_attribute("batchgate.provider_request_id", call.provider_request_id)
        if code in FAILURES:
            # Not the message: it may quote what a caller sent.
            span.set_status(Status(SpanStatus.ERROR, reason or code.name))
        span.end()

    @override
    def exchange_began(self, exchange: Exchange) -> None:
        call = current_call()
        # Looks at watched batches and checks are of no call.
        if not isinstance(call.trace, _Trace):
            return
        exchange.span = self._tracer.start_span(
            f"{exchange.method} {operation_of(exchange.method, exchange.path)}",
            context=set_span_in_context(call.trace.span, Context()),
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": exchange.method,
                "batchgate.provider": exchange.provider,
                "batchgate.attempt": call.retries + 1,
            },
        )

    @override
    def exchange_ended(self, exchange: Exchange) -> None:
        if not isinstance(exchange.span, Span):
            return
        span, call = exchange.span, current_call()
        if exchange.status:
            span.set_attribute("http.response.status_code", exchange.status)
        if call.provider_request_id:
            span.set_attribute("batchgate.provider_request_id", call.provider_request_id)
        outcome = exchange.outcome()
        if exchange.error or not exchange.status or exchange.status >= FIRST_ERROR_STATUS:
            span.set_attribute("error.type", outcome)
            span.set_status(Status(SpanStatus.ERROR, outcome))
        span.end()

    @override
    def happened(self, call: Call, event: str, values: Mapping[str, str | float]) -> None:
        trace = call.trace
        if not isinstance(trace, _Trace):
            return
        trace.span.add_event(event, dict(values))
        if time.monotonic() - trace.began < PIECE_SECONDS:
            return
        before = trace.span
        before.set_attribute("batchgate.piece", trace.pieces)
        trace.span = self._span(call, trace.parent, links=(Link(before.get_span_context()),))
        before.end()
        trace.began, trace.pieces = time.monotonic(), trace.pieces + 1
        trace.span.set_attribute("batchgate.piece", trace.pieces)

    def _span(self, call: Call, parent: Context, *, links: tuple[Link, ...] = ()) -> Span:
        _, service, method = call.method.split("/")
        return self._tracer.start_span(
            f"{service}/{method}",
            context=parent,
            kind=SpanKind.SERVER,
            attributes={
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": method,
                "batchgate.request_id": call.request_id,
            },
            links=links,
        )


def _exporter(kind: Exporter) -> SpanExporter:
    if kind == "console":
        # Where the audit log or an announcement may be, nothing else is.
        return ConsoleSpanExporter(out=cast("IO[str]", STDERR))
    try:
        module = import_module(MODULES[kind])
    except ModuleNotFoundError:
        package = f"opentelemetry-exporter-otlp-proto-{kind.partition('/')[0]}"
        message = f"needs {package} for {kind}: pip install {package}"
        raise ConfigurationError([Problem(EXPORTER, message)]) from None
    exporter: SpanExporter = module.OTLPSpanExporter()
    return exporter
