"""Traces of calls, as a receiver of OpenTelemetry's protocol gets them."""

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server import tracing
from batchgate_server.application import Application
from batchgate_server.settings import ConfigurationError, load_settings
from batchgate_server.settings.tracing import traces_exporter
from batchgate_server.tracing import Tracing
from tests.conftest import Account, Gateway, profiles, shared_tls_transport
from tests.process.conftest import Start, environment, serve, start
from tests.services.calls import call, failed
from tests.services.lines import create, lines
from tests.tools import tool
from tests.tracing.receiver import CLIENT, ERROR, SERVER, Received, Receiver, receiving
from tests.waiting import eventually

__all__ = ["serve", "start"]

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = ("traceparent", f"00-{TRACE}-{PARENT}-01")
LIST = "batchgate.v1.FileService/ListFiles"
WATCH = "batchgate.v1.BatchService/WatchBatch"
SOON = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
OpenTraced = Callable[..., Awaitable[Gateway]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def open_traced(
    account: Account, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenTraced]:
    """Opens a gateway whose traces go to the receiver."""
    async with AsyncExitStack() as stack:

        async def open_one(**settings: Any) -> Gateway:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
            for name, value in SOON.items():
                monkeypatch.setenv(name, value)
            loaded = load_settings(
                environment={},
                overrides={
                    "listen": f"unix:{tmp_path}/gateway.sock",
                    "providers": profiles(account),
                    "default_provider": "openai",
                    "server": {"health_check_seconds": 0},
                    "watch": {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02},
                    **settings,
                },
            )
            exporter = traces_exporter()
            assert exporter == "grpc"
            application = await stack.enter_async_context(
                Application(loaded, transport=shared_tls_transport, tracing=Tracing(exporter))
            )
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(application.address)
            )
            return Gateway(application, channel)

        yield open_one


def children(receiver: Receiver, parent: Received) -> list[Received]:
    return [one for one in receiver.spans if one.span.parent_span_id == parent.span.span_id]


async def test_a_call_and_its_request(open_traced: OpenTraced, receiver: Receiver) -> None:
    gateway = await open_traced()
    metadata = [TRACEPARENT, ("x-request-id", "request-7")]
    await call(gateway, "ListFiles", provider="azure", _metadata=metadata)
    span = await receiver.span(LIST)
    assert span.trace_id == TRACE
    assert span.span.parent_span_id.hex() == PARENT
    assert span.span.kind == SERVER
    assert span.resource["service.name"] == "batchgate"
    expected = {
        "rpc.system": "grpc",
        "rpc.service": "batchgate.v1.FileService",
        "rpc.method": "ListFiles",
        "rpc.grpc.status_code": 0,
        "batchgate.provider": "azure",
        "batchgate.request_id": "request-7",
        "batchgate.retries": 0,
    }
    assert expected.items() <= span.values.items()
    (upstream,) = children(receiver, span)
    assert upstream.name == "GET files.list"
    assert upstream.span.kind == CLIENT
    assert upstream.trace_id == TRACE
    assert upstream.values["http.response.status_code"] == 200
    assert span.span.start_time_unix_nano <= upstream.span.start_time_unix_nano
    assert upstream.span.end_time_unix_nano <= span.span.end_time_unix_nano


async def test_providers_are_told_nothing_of_it(
    open_traced: OpenTraced, account: Account, receiver: Receiver
) -> None:
    gateway = await open_traced()
    await call(gateway, "ListFiles", _metadata=[TRACEPARENT, ("tracestate", "a=b")])
    (request,) = await account.requests()
    assert not {"traceparent", "tracestate", "baggage"} & set(request["header_names"])


@pytest.mark.parametrize(
    "metadata",
    [(), (("traceparent", "00-nonsense"),), (("traceparent", f"00-{'0' * 32}-{PARENT}-01"),)],
)
async def test_without_a_parent_that_is_one_a_trace_begins(
    open_traced: OpenTraced, receiver: Receiver, metadata: tuple[tuple[str, str], ...]
) -> None:
    gateway = await open_traced()
    await call(gateway, "ListFiles", _metadata=metadata)
    span = await receiver.span(LIST)
    assert span.span.parent_span_id == b""
    assert span.trace_id != TRACE


async def test_what_the_caller_does_not_sample_is_not_sent(
    open_traced: OpenTraced, receiver: Receiver
) -> None:
    gateway = await open_traced()
    await call(gateway, "ListFiles", _metadata=[("traceparent", f"00-{TRACE}-{PARENT}-00")])
    await call(gateway, "ListBatches")
    await receiver.span("batchgate.v1.BatchService/ListBatches")
    assert receiver.named(LIST) == []


async def test_retries_are_events_and_spans(
    open_traced: OpenTraced, account: Account, receiver: Receiver
) -> None:
    gateway = await open_traced()
    await account.fault(kind="answer", status=500, times=1, body={"error": {"message": "Oops"}})
    await call(gateway, "ListFiles")
    span = await receiver.span(LIST)
    ((name, retry),) = span.events
    assert (name, retry["reason"], retry["attempt"]) == ("retry", "PROVIDER_UNAVAILABLE", 1)
    first, second = sorted(children(receiver, span), key=lambda one: one.span.start_time_unix_nano)
    assert (first.values["http.response.status_code"], first.span.status.code) == (500, ERROR)
    assert (second.values["batchgate.attempt"], second.span.status.code) == (2, 0)
    assert span.span.status.code != ERROR


async def test_errors_have_their_reason_and_no_message(
    open_traced: OpenTraced, account: Account, receiver: Receiver
) -> None:
    gateway = await open_traced()
    await failed(gateway, "GetBatch", provider="private-name")
    await account.fault(kind="reset", times=None)
    await failed(gateway, "ListFiles")
    refused = await receiver.span("batchgate.v1.BatchService/GetBatch")
    # The caller's mistake is no error of the server's.
    assert refused.span.status.code != ERROR
    assert refused.values["error.type"] == "PROVIDER_UNKNOWN"
    assert "private-name" not in str(refused.span)
    broken = await receiver.span(LIST)
    assert broken.span.status.code == ERROR
    assert broken.span.status.message == broken.values["error.type"] == "PROVIDER_UNAVAILABLE"
    assert len(children(receiver, broken)) == 3


async def test_an_upload_is_one_span_with_events(
    open_traced: OpenTraced, receiver: Receiver
) -> None:
    gateway = await open_traced()
    content = lines(5)
    await gateway.upload(content, chunk=100, jsonl_check=file_service_pb2.JSONL_CHECK_STRICT)
    span = await receiver.span("batchgate.v1.FileService/UploadFile")
    assert span.values["batchgate.received_bytes"] == len(content)
    assert span.values["batchgate.created_file_id"].startswith("file-")
    assert span.events == [("content complete", {"bytes": len(content)})]
    (upstream,) = children(receiver, span)
    assert upstream.name == "POST files.create"


async def test_a_watch_has_its_changes_as_events_and_no_polls(
    open_traced: OpenTraced, receiver: Receiver
) -> None:
    gateway = await open_traced()
    batch = await create(gateway, "")
    async for _ in gateway.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.id)):
        pass
    span = await receiver.span(WATCH)
    statuses = [event["status"] for name, event in span.events if name == "change"]
    assert statuses[-1] == "completed"
    assert len(statuses) >= 2
    assert children(receiver, span) == []
    assert not receiver.named("GET batches.get")


async def test_a_long_watch_is_sent_in_pieces(
    open_traced: OpenTraced,
    receiver: Receiver,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "PIECE_SECONDS", 0.05)
    watch = {"first_poll_seconds": 60, "slowest_poll_seconds": 60, "heartbeat_seconds": 0.03}
    gateway = await open_traced(watch=watch)
    await account.settings(step_seconds=60)
    batch = await create(gateway, "")
    request = pb.WatchBatchRequest(batch_id=batch.id)
    stream = gateway.batches.WatchBatch(request, metadata=[TRACEPARENT])
    # Seen while it lasts.
    reading = asyncio.create_task(_read_on(stream))
    await eventually(lambda: len(receiver.named(WATCH)) >= 3)
    reading.cancel()
    stream.cancel()
    pieces = receiver.named(WATCH)
    assert {piece.trace_id for piece in pieces} == {TRACE}
    assert {piece.span.parent_span_id.hex() for piece in pieces} == {PARENT}
    assert [piece.values["batchgate.piece"] for piece in pieces[:3]] == [1, 2, 3]
    for before, after in pairwise(pieces):
        (link,) = after.span.links
        assert link.span_id == before.span.span_id
    assert all(piece.events for piece in pieces[:3])


async def _read_on(stream: Any) -> None:
    while True:
        await stream.read()


async def test_with_metrics_too(open_traced: OpenTraced, receiver: Receiver) -> None:
    gateway = await open_traced(admin={"listen": "127.0.0.1:0"})
    await create(gateway, "")
    await receiver.span("batchgate.v1.BatchService/CreateBatch")
    overview = gateway.application.overview
    assert overview
    names = {family.name for family in overview.state().families}
    assert "batchgate_rpcs" in names


async def test_the_process_logs_the_trace_and_sends_it_at_its_end(
    start: Start, receiver: Receiver
) -> None:
    long = {**SOON, "OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_SERVICE_NAME": "gate-7"}
    gateway = await start(
        "--log-format", "json", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.address, **long
    )
    await gateway.files.ListFiles(file_service_pb2.ListFilesRequest(), metadata=[TRACEPARENT])
    gateway.signal(signal.SIGTERM)
    code, output = await gateway.end()
    assert code == 0
    logged = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    (rpc,) = [line for line in logged if line["event"] == "rpc"]
    assert rpc["trace_id"] == TRACE
    assert all("trace_id" not in line for line in logged if line is not rpc)
    (span,) = receiver.named(LIST)
    assert span.resource["service.name"] == "gate-7"


@pytest.mark.slow
async def test_nobody_receives(start: Start) -> None:
    """Calls and the end are as without it."""
    gateway = await start(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **SOON)
    await gateway.files.ListFiles(file_service_pb2.ListFilesRequest())
    gateway.signal(signal.SIGTERM)
    code, _ = await asyncio.wait_for(gateway.end(), 20)
    assert code == 0


async def test_a_receiver_that_does_not_answer_holds_up_nothing(
    open_traced: OpenTraced, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "LAST_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        receiver.address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        gateway = await open_traced()
        await call(gateway, "ListFiles")
        await asyncio.wait_for(gateway.application.stop(0.0), 5)


@pytest.fixture
def go_uploader(tmp_path: Path) -> Path:
    program = tmp_path / "uploader"
    directory = Path(__file__).parent / "go"
    subprocess.run([tool("go"), "build", "-o", program, "."], cwd=directory, check=True)
    return program


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_upload_from_a_client_in_go(
    start: Start, receiver: Receiver, go_uploader: Path, tmp_path: Path
) -> None:
    """Our Go client with OpenTelemetry's own interceptor: from its span to the provider in one trace."""
    gateway = await start(
        listen="127.0.0.1:0", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.address, **SOON
    )
    (tmp_path / "a.png").write_bytes(bytes(600_000))
    exports = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address,
        "OTEL_SERVICE_NAME": "nightly",
        "OTEL_EXPORTER_OTLP_INSECURE": "true",
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [str(go_uploader), gateway.address, str(tmp_path / "a.png")],
        env={**os.environ, **exports},
        check=True,
        capture_output=True,
        text=True,
    )
    root = await receiver.span("nightly upload")
    assert root.trace_id == done.stdout.strip()
    (asked,) = children(receiver, root)
    assert (asked.span.kind, asked.resource["service.name"]) == (CLIENT, "nightly")
    await eventually(lambda: children(receiver, asked))
    (served,) = children(receiver, asked)
    assert (served.span.kind, served.resource["service.name"]) == (SERVER, "batchgate")
    assert served.name == "batchgate.v1.FileService/UploadFile"
    assert served.values["batchgate.received_bytes"] == 600_000
    (upstream,) = children(receiver, served)
    assert (upstream.name, upstream.span.kind) == ("POST files.create", CLIENT)
    assert upstream.values["http.response.status_code"] == 200
    assert {one.trace_id for one in (asked, served, upstream)} == {root.trace_id}


# What the variables say


@pytest.mark.parametrize(
    ("variables", "exporter"),
    [
        ({}, None),
        ({"OTEL_SERVICE_NAME": "x"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://a:1"}, "grpc"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "grpc"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "console"),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, None),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, None),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
            "http/protobuf",
        ),
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            },
            "grpc",
        ),
    ],
)
def test_when_and_how_traces_leave(variables: dict[str, str], exporter: str | None) -> None:
    assert traces_exporter(variables) == exporter


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
    ],
)
def test_what_cannot_be_done(variables: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        traces_exporter(variables)
    (problem,) = caught.value.problems
    assert str(problem).startswith(f"{list(variables)[-1]}: must be ")


def test_an_exporter_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tracing.MODULES, "http/protobuf", "opentelemetry.no_such_module")
    with pytest.raises(ConfigurationError) as caught:
        Tracing("http/protobuf")
    (problem,) = caught.value.problems
    assert "pip install opentelemetry-exporter-otlp-proto-http" in str(problem)


async def test_a_wrong_variable_ends_the_start(account: Account, serve: Any) -> None:
    assert "OTEL_TRACES_EXPORTER" not in environment(account)
    process = await serve("--listen", "127.0.0.1:0", OTEL_TRACES_EXPORTER="zipkin")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert "  OTEL_TRACES_EXPORTER: must be otlp, console or none" in errors.decode()


async def test_the_console_is_standard_error(start: Start) -> None:
    gateway = await start(OTEL_TRACES_EXPORTER="console", **SOON)
    await gateway.files.ListFiles(file_service_pb2.ListFilesRequest(), metadata=[TRACEPARENT])
    gateway.signal(signal.SIGTERM)
    code, output = await gateway.end()
    assert code == 0
    assert f"0x{TRACE}" in output
