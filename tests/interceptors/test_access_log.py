"""The access log: one line a call, with exactly these fields, and how the call ended."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import grpc
import httpx
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from batchgate.v1 import file_service_pb2 as pb
from batchgate.v1 import provider_service_pb2
from batchgate_server.logs import configure_logs
from batchgate_server.settings import LogSettings
from tests.conftest import Account, Gateway, OpenGateway, upload_messages
from tests.waiting import eventually

UPLOAD = "/batchgate.v1.FileService/UploadFile"
DOWNLOAD = "/batchgate.v1.FileService/DownloadFile"
FIELDS = {
    "event",
    "log_level",
    "method",
    "caller",
    "provider",
    "code",
    "reason",
    "duration_ms",
    "received_bytes",
    "sent_bytes",
    "retries",
    "request_id",
    "provider_request_id",
}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


async def line(lines: list[Any]) -> dict[str, Any]:
    """The one line of the one call so far."""
    await eventually(lambda: lines)
    (one,) = lines
    assert set(one) == FIELDS
    assert one["event"] == "rpc"
    assert one["duration_ms"] > 0
    found: dict[str, Any] = one
    return found


async def test_an_upload_and_a_download_count_their_bytes(
    gateway: Gateway, lines: list[Any]
) -> None:
    answer = await gateway.upload(bytes(700_000), purpose="vision")
    one = await line(lines)
    assert (one["method"], one["code"], one["reason"]) == (UPLOAD, "OK", "")
    assert (one["received_bytes"], one["sent_bytes"]) == (700_000, 0)
    assert one["provider"] == "openai"
    assert one["provider_request_id"].startswith("req_")
    assert one["log_level"] == "info"
    lines.clear()
    await gateway.download(answer.file.id, read_offset=1, read_limit=500_000)
    one = await line(lines)
    assert (one["method"], one["code"]) == (DOWNLOAD, "OK")
    assert (one["received_bytes"], one["sent_bytes"]) == (0, 500_000)


async def test_a_failed_call_has_its_code_and_reason(gateway: Gateway, lines: list[Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.files.GetFile(pb.GetFileRequest(provider="azure", file_id="file-x"))
    one = await line(lines)
    assert (one["code"], one["reason"]) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert one["provider"] == "azure"
    assert one["log_level"] == "info", "the caller's mistakes are no errors of the gateway's"


async def test_a_call_without_a_provider_has_an_empty_one(
    gateway: Gateway, lines: list[Any]
) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.files.GetFile(pb.GetFileRequest(provider="nobody", file_id="file-x"))
    one = await line(lines)
    assert (one["code"], one["reason"], one["provider"]) == ("NOT_FOUND", "PROVIDER_UNKNOWN", "")


async def test_an_unknown_outcome_is_an_error_line(
    gateway: Gateway, account: Account, lines: list[Any]
) -> None:
    await account.fault(kind="reset", process=True)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.upload(b"{}\n")
    one = await line(lines)
    assert (one["code"], one["reason"]) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert one["log_level"] == "error"


async def test_a_cancelled_upload_is_logged_with_what_came(
    gateway: Gateway, account: Account, lines: list[Any]
) -> None:
    call = gateway.files.UploadFile()
    for message in upload_messages(bytes(1000), chunk=100, filename="a.jsonl", purpose="batch"):
        await call.write(message)

    async def arrived() -> bool:
        return any(one["received_bytes"] > 1000 for one in await account.requests())

    await eventually(arrived)
    call.cancel()
    one = await line(lines)
    assert (one["code"], one["received_bytes"], one["log_level"]) == ("CANCELLED", 1000, "info")


@pytest.mark.parametrize("kind", ["unary", "download"])
async def test_a_call_past_its_deadline_is_logged_as_such(
    gateway: Gateway, account: Account, lines: list[Any], kind: str
) -> None:
    await account.fault(kind="hang")
    call: Any
    if kind == "unary":
        call = gateway.files.GetFile(pb.GetFileRequest(file_id="file-1"), timeout=0.3)
    else:
        request = pb.DownloadFileRequest(file_id="file-1")
        call = gateway.files.DownloadFile(request, timeout=0.3).read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    one = await line(lines)
    assert (one["code"], one["log_level"]) == ("DEADLINE_EXCEEDED", "info")


async def test_a_cancelled_call_with_time_left_is_no_deadline(
    gateway: Gateway, account: Account, lines: list[Any]
) -> None:
    await account.fault(kind="hang")
    call = gateway.files.GetFile(pb.GetFileRequest(file_id="file-1"), timeout=60)
    await eventually(account.requests)
    call.cancel()
    assert (await line(lines))["code"] == "CANCELLED"


async def test_health_checks_and_reflection_are_not_logged(
    gateway: Gateway, lines: list[Any]
) -> None:
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)
    await health.Check(health_pb2.HealthCheckRequest())
    assert lines == []


async def test_a_defect_is_an_error_line_after_its_traceback(
    open_gateway: OpenGateway, lines: list[Any]
) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise RuntimeError("secret of the gateway")

    openai = {"kind": "openai", "base_url": "https://api.example/v1", "api_key": "k"}
    gateway = await open_gateway(
        {"providers": {"openai": openai}}, transport=lambda _: httpx.MockTransport(broken)
    )
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.files.GetFile(pb.GetFileRequest(file_id="file-1"))
    await eventually(lambda: len(lines) == 2)
    by_event = {one["event"]: one for one in lines}
    assert by_event["internal error"]["exc_info"]
    assert by_event["internal error"]["request_id"] == by_event["rpc"]["request_id"]
    assert (by_event["rpc"]["code"], by_event["rpc"]["reason"]) == ("INTERNAL", "INTERNAL")
    assert by_event["rpc"]["log_level"] == "error"


# --------------------------------------------------------------------------- how lines look


@pytest.fixture
def configure() -> Iterator[Callable[..., io.StringIO]]:
    """Configures logs as the process does, and gives what they are written to."""
    written = io.StringIO()

    def configure_one(**settings: Any) -> io.StringIO:
        with redirect_stderr(written):
            configure_logs(LogSettings(**settings))
        return written

    yield configure_one
    structlog.reset_defaults()


Configure = Callable[..., io.StringIO]


async def test_json_lines_are_one_object_each(gateway: Gateway, configure: Configure) -> None:
    stderr = configure(format="json", level="info")
    request = provider_service_pb2.ListProvidersRequest()
    await asyncio.gather(*(gateway.providers.ListProviders(request) for _ in range(5)))
    await eventually(lambda: stderr.getvalue().count("\n") == 5)
    for text in stderr.getvalue().splitlines():
        one = json.loads(text)
        assert set(one) == FIELDS - {"log_level"} | {"level", "timestamp"}
        assert one["level"] == "info"
        assert one["timestamp"].endswith("Z")


async def test_console_lines_are_for_people(gateway: Gateway, configure: Configure) -> None:
    stderr = configure(format="console", level="info")
    await gateway.providers.ListProviders(provider_service_pb2.ListProvidersRequest())
    await eventually(stderr.getvalue)
    (text,) = stderr.getvalue().splitlines()
    assert "code=OK" in text
    assert "method=/batchgate.v1.ProviderService/ListProviders" in text
    assert "\x1b" not in text, "no colours where nobody looks"


async def test_the_level_decides_which_lines_are_written(
    gateway: Gateway, account: Account, configure: Configure
) -> None:
    stderr = configure(format="json", level="error")
    await gateway.providers.ListProviders(provider_service_pb2.ListProvidersRequest())
    await account.fault(kind="reset", process=True)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.upload(b"{}\n")
    await eventually(stderr.getvalue)
    (text,) = stderr.getvalue().splitlines()
    assert json.loads(text)["reason"] == "OUTCOME_UNKNOWN"


async def test_what_a_caller_sends_cannot_forge_a_line(
    gateway: Gateway, configure: Configure
) -> None:
    stderr = configure(format="console", level="info")
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.files.GetFile(pb.GetFileRequest(provider="x\nrpc code=OK", file_id="f\n"))
    await eventually(stderr.getvalue)
    assert len(stderr.getvalue().splitlines()) == 1


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(configure: Configure, log_format: str) -> None:
    def broken(secret: str) -> None:
        raise KeyError(len(secret))

    stderr = configure(format=log_format)
    try:
        broken("sk-" + "secret")
    except KeyError:
        structlog.stdlib.get_logger().exception("internal error")
    assert "KeyError" in stderr.getvalue()
    assert "sk-secret" not in stderr.getvalue()
