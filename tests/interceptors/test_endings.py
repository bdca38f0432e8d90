"""What every RPC ends with: request ids in its trailing metadata, and errors that tell no secrets."""

import re
from contextlib import suppress
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import file_service_pb2 as pb
from batchgate_server.interceptors.request_id import request_id
from tests.conftest import Account, Gateway, OpenGateway
from tests.status import failure_of

SECRET = "sk-secret-of-the-gateway"


async def trailing_of(call: Any) -> dict[str, Any]:
    """A call's trailing metadata, however it ended."""
    with suppress(grpc.aio.AioRpcError):
        await call
    return dict(await call.trailing_metadata())


CALLS = {
    "OK": pb.ListFilesRequest(),
    "refused by the gateway": pb.ListFilesRequest(page_size=-1),
    "refused by the provider": pb.ListFilesRequest(purpose="x" * 200),
}


@pytest.mark.parametrize("kind", CALLS)
async def test_the_callers_request_id_comes_back(gateway: Gateway, kind: str) -> None:
    call = gateway.files.ListFiles(CALLS[kind], metadata=[("x-request-id", "of-the-caller/1")])
    assert (await trailing_of(call))["x-request-id"] == "of-the-caller/1"


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize("given", ["", "a b", "x" * 129, None])
async def test_a_request_id_is_made_where_none_is_usable(
    gateway: Gateway, kind: str, given: str | None
) -> None:
    metadata = [] if given is None else [("x-request-id", given)]
    one = await trailing_of(gateway.files.ListFiles(CALLS[kind], metadata=metadata))
    two = await trailing_of(gateway.files.ListFiles(CALLS[kind], metadata=metadata))
    assert re.fullmatch(r"[0-9a-f]{32}", one["x-request-id"])
    assert one["x-request-id"] != two["x-request-id"]


def test_a_request_id_cannot_carry_anything_but_visible_ascii() -> None:
    for value in ("a\nb", "a\x1b[31m", "ä", b"binary", "\x7f"):
        assert re.fullmatch(r"[0-9a-f]{32}", request_id([("x-request-id", value)]))
    assert request_id([("other", "x"), ("x-request-id", "mine")]) == "mine"
    assert request_id(None)


@pytest.mark.parametrize("provider", ["openai", "azure", "azure-dated"])
async def test_the_providers_request_id_comes_along_on_success_and_failure(
    gateway: Gateway, provider: str
) -> None:
    good = await trailing_of(gateway.files.ListFiles(pb.ListFilesRequest(provider=provider)))
    assert good["x-provider-request-id"]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.GetFile(pb.GetFileRequest(provider=provider, file_id="file-x"))
    failure = failure_of(caught.value)
    assert failure.trailing["x-provider-request-id"]
    assert failure.metadata["provider_request_id"] == failure.trailing["x-provider-request-id"]


async def test_streams_have_trailing_metadata_too(gateway: Gateway) -> None:
    file_id = (await gateway.upload(b"x", purpose="vision")).file.id
    call = gateway.files.DownloadFile(
        pb.DownloadFileRequest(file_id=file_id), metadata=[("x-request-id", "mine")]
    )
    assert [piece.chunk async for piece in call] == [b"x"]
    trailing = dict(await call.trailing_metadata())
    assert trailing["x-request-id"] == "mine"
    assert trailing["x-provider-request-id"]


async def test_an_error_before_any_provider_has_no_provider_request_id(gateway: Gateway) -> None:
    trailing = await trailing_of(gateway.files.GetFile(pb.GetFileRequest(provider="nobody")))
    assert "x-provider-request-id" not in trailing


def broken(request: httpx.Request) -> httpx.Response:
    raise RuntimeError(f"a defect that knows {SECRET}")


@pytest.fixture
async def broken_gateway(open_gateway: OpenGateway) -> Gateway:
    openai = {"kind": "openai", "base_url": "https://api.example/v1", "api_key": SECRET}
    return await open_gateway(
        {"providers": {"openai": openai}}, transport=lambda _: httpx.MockTransport(broken)
    )


@pytest.mark.parametrize("kind", ["unary", "upload", "download"])
async def test_a_defect_says_nothing_of_itself(broken_gateway: Gateway, kind: str) -> None:
    """The caller gets an id to ask about; the traceback is in the log."""
    calls: dict[str, Any] = {
        "unary": lambda: broken_gateway.files.GetFile(pb.GetFileRequest(file_id="file-1")),
        "upload": lambda: broken_gateway.upload(b"{}\n"),
        "download": lambda: broken_gateway.download("file-1"),
    }
    with capture_logs() as entries, pytest.raises(grpc.aio.AioRpcError) as caught:
        await calls[kind]()
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("INTERNAL", "INTERNAL")
    assert failure.message == f"internal error; x-request-id {failure.trailing['x-request-id']}"
    assert "defect" not in repr(caught.value)
    assert SECRET not in repr((caught.value, failure))
    (defect,) = [one for one in entries if one["event"] == "internal error"]
    assert defect["exc_info"]
    assert defect["request_id"] == failure.trailing["x-request-id"]


async def test_a_message_that_is_none_is_the_callers_error(
    gateway: Gateway, account: Account
) -> None:
    """Bytes that are no protobuf message, in an upload's stream."""
    upload: Any = gateway.channel.stream_unary("/batchgate.v1.FileService/UploadFile")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload(iter([b"\xff\xff\xff"]))
    assert caught.value.code() is not grpc.StatusCode.OK
    assert await account.requests() == []


async def test_an_unknown_method_is_unimplemented(gateway: Gateway) -> None:
    unknown: Any = gateway.channel.unary_unary("/batchgate.v1.FileService/NoSuch")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unknown(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
