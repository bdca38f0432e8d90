"""Strings that want to be more than a value: in logs, headers, multipart headers, errors and metadata."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from batchgate.v1 import file_service_pb2 as pb
from batchgate_server.logs import configure_logs
from batchgate_server.settings import LogSettings
from tests.abuse.connection import Connection
from tests.abuse.rpcs import RPCS, send, string_fields
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.http2 import grpc_message
from tests.waiting import eventually

FORGERIES = [
    'x\n{"event":"rpc","code":"OK"}',
    "x\r\nx-injected: 1",
    "x\x1b[31m\x1b]0;title\x07",
    "x\u2028rpc code=OK",
    "x\u2029\x85\x0b\x0c\x1c\x1d\x1e",
    "x\u202egnp.exe\u2066",
    "x\0y",
    'x" code=OK caller=admin "',
    "x' OR 1=1",
    "%0d%0ax-injected: 1",
    "x" * 10_000,
]
Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Configures logs as the process does; gives what is written."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]

    def configure(log_format: str, level: str = "debug") -> io.StringIO:
        written = io.StringIO()
        with redirect_stderr(written):
            configure_logs(LogSettings.model_validate({"format": log_format, "level": level}))
        return written

    yield configure
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


def lines_of(written: io.StringIO, log_format: str) -> list[str]:
    """The lines, which any reader takes for as many."""
    text = written.getvalue()
    lines = text.splitlines()
    assert len(lines) == text.count("\n"), "other line ends than one"
    for line in lines:
        assert line.isprintable(), ascii(line)
        if log_format == "json":
            assert "event" in json.loads(line)
    return lines


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_nothing_that_a_caller_writes_forges_a_line(
    gateway: Gateway, account: Account, configure: Configure, log_format: str
) -> None:
    written = configure(log_format)
    calls = 0
    for rpc in RPCS.values():
        for text in FORGERIES:
            fields = {field.name: text for field in string_fields(rpc)}
            raw = rpc.first(**fields).SerializeToString()
            metadata: list[tuple[str, str | bytes]] = [("x-note-bin", text.encode()[:4000])]
            if text.isascii() and text.isprintable() and len(text) < 4000:
                metadata.append(("x-request-id", text))
            await send(gateway.channel, rpc, [raw], metadata=metadata)
            calls += 1
    await eventually(lambda: written.getvalue().count("\n") >= calls)
    lines = lines_of(written, log_format)
    assert len(lines) == calls
    assert not any("code=OK" in line for line in lines if "ListProviders" not in line)


@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("text", FORGERIES, ids=ascii)
async def test_nothing_that_a_provider_writes_forges_a_line_or_loses_a_status(
    gateway: Gateway, account: Account, configure: Configure, log_format: str, text: str
) -> None:
    written = configure(log_format)
    error = {"message": text, "code": text, "type": text, "param": text}
    await account.fault(kind="answer", status=400, body={"error": error}, times=None, method="GET")
    for name, fields in (("GetFile", {"file_id": "f"}), ("WaitBatch", {"batch_id": "b"})):
        raw = RPCS[name].first(**fields).SerializeToString()
        outcome = await send(gateway.channel, RPCS[name], [raw])
        assert outcome.reason == "PROVIDER_REJECTED"
        assert outcome.message.isprintable()
        assert outcome.failure
        assert all(value.isprintable() for value in outcome.failure.metadata.values())
        assert set(outcome.trailing) <= {
            "x-request-id",
            "x-provider-request-id",
            "grpc-status-details-bin",
        }
    await eventually(lambda: written.getvalue().count("\n") >= 2)
    lines_of(written, log_format)


@pytest.mark.parametrize("log_format", ["json", "console"])
@given(values=st.lists(st.text(st.characters(exclude_categories=[])), min_size=1, max_size=3))
def test_a_line_is_one_line_whatever_is_logged(log_format: str, values: list[str]) -> None:
    """Also what JSON cannot carry, and what libraries log by themselves."""
    written = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        with redirect_stderr(written):
            configure_logs(LogSettings.model_validate({"format": log_format}))
        structlog.get_logger().info(
            values[0], value=values[-1], several=values, pairs={"a": values}
        )
        logging.getLogger("aiohttp.client").warning("%s", values[0])
    finally:
        structlog.reset_defaults()
        root.setLevel(level)
        root.handlers[:] = handlers
    assert len(lines_of(written, log_format)) == 2


@pytest.mark.parametrize("value", ["x code=OK", 'x" code="OK', "x=y", "x'"])
def test_a_value_cannot_look_like_further_fields(configure: Configure, value: str) -> None:
    written = configure("console")
    structlog.get_logger().info("event", value=value, plain="/a/b-c_1")
    (line,) = lines_of(written, "console")
    assert f"value={value!r}" in line
    assert "plain=/a/b-c_1" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_libraries_log_is_a_line_without_values(configure: Configure, log_format: str) -> None:
    """As asyncio reports a lost exception: with the values in further lines and in its message."""

    def fail(content: str) -> None:
        raise ValueError(content)

    written = configure(log_format)
    content = f"content-{len(log_format)}-of-file"
    try:
        fail(content)
    except ValueError:
        message = f"Task exception was never retrieved\nfuture: {content}"
        logging.getLogger("asyncio").exception(message)
    logging.getLogger("httpx").debug(content)
    logging.getLogger("httpx").info(content)
    text = written.getvalue()
    assert "Task exception was never retrieved" in text
    assert "builtins.ValueError" in text
    assert "test_injection.py" in text
    assert content not in text


@pytest.mark.parametrize("text", FORGERIES[:-1], ids=ascii)
async def test_a_file_name_is_one_parameter_of_one_header(
    gateway: Gateway, account: Account, text: str
) -> None:
    """The sandbox reads the multipart body with another library."""
    await gateway.upload(b"{}\n", filename=text, purpose="user_data")
    (sent,) = [one for one in await account.requests() if one["method"] == "POST"]
    assert "x-injected" not in {name.lower() for name in sent["headers"]}
    named = (await gateway.files.ListFiles(pb.ListFilesRequest())).files[0]
    assert named.purpose == "user_data"
    assert named.size_bytes == 3
    assert not set(named.filename) & set("\r\n\0")


@pytest.mark.parametrize("text", ["x" * 20_000, "é" * 10_000, "\u2028" * 10_000], ids=ascii)
async def test_an_error_that_quotes_an_endless_field_arrives(gateway: Gateway, text: str) -> None:
    """Over 8 KiB of headers, and gRPC would lose the status."""
    rpc = RPCS["UploadFile"]
    raw = rpc.first(filename="a", purpose=text, size_bytes=2**40).SerializeToString()
    outcome = await send(gateway.channel, rpc, [raw])
    assert outcome.reason in {"FILE_TOO_LARGE", "INVALID_FIELD"}
    assert outcome.message.isprintable()


async def test_a_request_id_that_is_none_is_replaced(
    account: Account, open_gateway: OpenGateway, configure: Configure
) -> None:
    """Also one that no gRPC library would send."""
    listening = {"listen": "127.0.0.1:0", "providers": profiles(account)}
    gateway = await open_gateway({**listening, "default_provider": "openai"})
    written = configure("json")
    values = [
        "",
        " ",
        "a b",
        "x" * 129,
        "\t",
        "é",
        "a\nb",
        "a\r\nb: c",
        "\x1b[31m",
        "a\0",
        "a\u2028",
    ]
    connection = await Connection.open(gateway.address)
    for value in values:
        await connection.call(
            RPCS["GetFile"].path, grpc_message(b""), headers=[("x-request-id", value)]
        )
    connection.close()
    await eventually(lambda: written.getvalue().count("\n") >= len(values))
    ids = [json.loads(line)["request_id"] for line in lines_of(written, "json")]
    assert len(set(ids)) == len(values)
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


@pytest.mark.parametrize("value", ["a b", "x" * 300, "é", "a\tb"], ids=ascii)
async def test_a_providers_request_id_that_is_none_is_left_out(
    gateway: Gateway, account: Account, value: str
) -> None:
    headers = {"x-request-id": value}
    await account.fault(
        kind="answer", status=404, headers=headers, body={"error": {"message": "x"}}
    )
    raw = RPCS["GetFile"].first(file_id="f").SerializeToString()
    outcome = await send(gateway.channel, RPCS["GetFile"], [raw])
    assert outcome.reason == "PROVIDER_NOT_FOUND"
    assert "x-provider-request-id" not in outcome.trailing
