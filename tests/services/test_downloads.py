"""DownloadFile: every byte once and in order, or an error; never an end that is none."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgate.v1 import file_service_pb2 as pb
from tests.conftest import CHUNK, IMPATIENT, PROFILES, Account, Gateway, OpenGateway, profiles
from tests.http2 import RawCall, grpc_message
from tests.status import Failure, failure_of
from tests.waiting import eventually, no_task_but, tasks

METHOD = "/batchgate.v1.FileService/DownloadFile"
CONTENT = bytes(range(256)) * 4
SHARED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
Handler = Callable[[httpx.Request], httpx.Response]


async def failed(gateway: Gateway, file_id: str = "file-1", **place: Any) -> tuple[Failure, bytes]:
    """How a download ends, and what came before."""
    content = b""
    request = pb.DownloadFileRequest(file_id=file_id, **place)
    try:
        async for piece in gateway.files.DownloadFile(request):
            assert piece.offset == place.get("read_offset", 0) + len(content)
            content += piece.chunk
    except grpc.aio.AioRpcError as exc:
        return failure_of(exc), content
    pytest.fail(f"OK after {len(content)} bytes")


@pytest.fixture
async def faked(open_gateway: OpenGateway) -> Callable[[Handler], Any]:
    """A gateway whose provider is a function."""

    async def open_one(handler: Handler, **profile: Any) -> Gateway:
        openai = {
            "kind": "openai",
            "base_url": "https://api.example/v1",
            "api_key": "sk-of-the-profile",
            "organization": "org-1",
            **profile,
        }
        return await open_gateway(
            {"providers": {"openai": openai}},
            transport=lambda _: httpx.MockTransport(handler),
        )

    return open_one


class EndlessProvider:
    """A provider whose file does not end, and that knows how much it got rid of."""

    def __init__(self) -> None:
        self.profile: dict[str, Any] = {}
        self.sent_bytes = 0
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        try:
            while not reader.at_eof():
                writer.write(bytes(65536))
                await writer.drain()
                self.sent_bytes += 65536
        except ConnectionError:
            pass
        self.gone.set()
        writer.close()


@pytest.fixture
async def endless() -> AsyncIterator[EndlessProvider]:
    provider = EndlessProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}/v1"
        provider.profile = {"kind": "openai", "base_url": url, "api_key": "k"}
        yield provider


# --------------------------------------------------------------------------- pieces and places


@SHARED
@given(
    size=st.integers(0, 40),
    offset=st.integers(0, 50),
    limit=st.integers(0, 50),
)
async def test_any_offset_and_limit_cut_out_what_they_name(
    gateway: Gateway, size: int, offset: int, limit: int
) -> None:
    """Beyond the end there is nothing, and that is no error."""
    content = CONTENT[:size]
    file_id = (await gateway.upload(content, purpose="vision")).file.id
    wanted = content[offset : offset + limit] if limit else content[offset:]
    assert await gateway.download(file_id, read_offset=offset, read_limit=limit) == wanted


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_file_larger_than_a_piece_comes_whole(gateway: Gateway, provider: str) -> None:
    content = CONTENT * 1500
    file_id = (await gateway.upload(content, provider=provider)).file.id
    assert await gateway.download(file_id, provider=provider) == content
    middle = await gateway.download(
        file_id, provider=provider, read_offset=CHUNK + 1, read_limit=CHUNK + 7
    )
    assert middle == content[CHUNK + 1 : 2 * CHUNK + 8]


async def test_an_empty_file_is_an_empty_stream(gateway: Gateway) -> None:
    file_id = (await gateway.upload(b"", purpose="vision")).file.id
    assert await gateway.download(file_id) == b""
    assert await gateway.download(file_id, read_offset=9, read_limit=1) == b""


@pytest.mark.parametrize("place", [{"read_offset": -1}, {"read_limit": -1}])
async def test_a_negative_place_is_refused(
    gateway: Gateway, account: Account, place: dict[str, Any]
) -> None:
    failure, _ = await failed(gateway, **place)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert list(failure.fields) == list(place)
    assert await account.requests() == []


async def test_a_limit_reads_no_more_than_it_needs(
    open_gateway: OpenGateway, endless: EndlessProvider
) -> None:
    """The rest of a large file is not fetched, and its connection is closed at once."""
    gateway = await open_gateway({"providers": {"openai": endless.profile}})
    before = tasks()
    assert await gateway.download("file-1", read_limit=5) == bytes(5)
    await no_task_but(before)
    await asyncio.wait_for(endless.gone.wait(), 5)
    assert endless.sent_bytes < 20_000_000


async def test_a_purpose_that_cannot_be_downloaded_says_so(gateway: Gateway) -> None:
    """400 of the provider passes through readable."""
    for purpose in ("assistants", "user_data"):
        file_id = (await gateway.upload(b"x", purpose=purpose)).file.id
        failure, _ = await failed(gateway, file_id)
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
        assert f"Not allowed to download files of purpose: {purpose}" in failure.message


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_file_that_is_not_there_is_not_found(gateway: Gateway, provider: str) -> None:
    failure, _ = await failed(gateway, provider=provider)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")


# --------------------------------------------------------------------------- cut off


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("keep", [0, 1, 100_000, 999_999])
async def test_a_content_cut_off_before_its_length_ends_with_an_error(
    gateway: Gateway, account: Account, provider: str, keep: int
) -> None:
    content = CONTENT[:1000] * 1000
    file_id = (await gateway.upload(content, provider=provider)).file.id
    # The whole file is sent again for what is missing, and never gets further.
    await account.fault(kind="cut", send_bytes=keep, path="*/content", times=None)
    before = tasks()
    failure, received = await failed(gateway, file_id, provider=provider)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert failure.retry_seconds
    assert received == content[: len(received)]
    assert len(received) <= keep
    await no_task_but(before)
    # As the contract says, read on from there.
    await account.mend()
    rest = await gateway.download(file_id, provider=provider, read_offset=len(received))
    assert received + rest == content


ENDINGS = {
    "before a chunk": b"",
    "in a chunk's size": b"4",
    "in a chunk": b"8\r\n1234",
    "without the last chunk": b"4\r\n1234\r\n",
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("reset", [True, False])
async def test_a_chunked_content_cut_off_ends_with_an_error(
    open_gateway: OpenGateway, ending: str, reset: bool
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegin\r\n")
        writer.write(ENDINGS[ending])
        await writer.drain()
        if reset:
            writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        gateway = await open_gateway(
            {
                "providers": {
                    "p": {
                        "kind": "openai",
                        "base_url": f"http://{host}:{port}/v1",
                        "api_key": "k",
                        **IMPATIENT,
                    }
                }
            }
        )
        failure, received = await failed(gateway)
        assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
        assert b"begin1234".startswith(received)


async def test_a_provider_that_stalls_is_given_up(
    open_gateway: OpenGateway, account: Account
) -> None:
    profile = profiles(account)["openai"] | {"idle_timeout_seconds": 0.2}
    gateway = await open_gateway({"providers": {"openai": profile}})
    file_id = (await gateway.upload(CONTENT * 100, purpose="vision")).file.id
    before = tasks()
    await account.fault(kind="slow_send", bytes_per_second=100, path="*/content", times=None)
    failure, _ = await failed(gateway, file_id)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_TIMEOUT")
    assert failure.retry_seconds
    await no_task_but(before)


async def test_a_provider_that_does_not_answer_is_given_up(
    open_gateway: OpenGateway, account: Account
) -> None:
    profile = profiles(account)["openai"] | {"timeout_seconds": 0.3}
    gateway = await open_gateway({"providers": {"openai": profile}})
    before = tasks()
    await account.fault(kind="hang")
    failure, _ = await failed(gateway)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_TIMEOUT")
    await no_task_but(before)


# --------------------------------------------------------------------------- callers


@pytest.mark.parametrize("read", [0, 1, 100])
async def test_a_caller_that_cancels_ends_the_providers_answer_at_once(
    open_gateway: OpenGateway, endless: EndlessProvider, read: int
) -> None:
    gateway = await open_gateway({"providers": {"openai": endless.profile}})
    before = tasks()
    call = gateway.files.DownloadFile(pb.DownloadFileRequest(file_id="file-1"))
    pieces = aiter(call)
    for _ in range(read):
        await anext(pieces)
    await eventually(lambda: endless.sent_bytes)
    call.cancel()
    await asyncio.wait_for(endless.gone.wait(), 5)
    await no_task_but(before)


@pytest.mark.parametrize("end", [RawCall.hang_up, RawCall.break_off])
async def test_a_caller_whose_connection_breaks_ends_the_providers_answer_at_once(
    open_gateway: OpenGateway, endless: EndlessProvider, end: Callable[[RawCall], None]
) -> None:
    gateway = await open_gateway(
        {"listen": "127.0.0.1:0", "providers": {"openai": endless.profile}}
    )
    before = tasks()
    request = pb.DownloadFileRequest(file_id="file-1").SerializeToString()
    async with await RawCall.open(gateway.address, METHOD) as call:
        await call.send_data(grpc_message(request), end=True)
        await eventually(lambda: endless.sent_bytes)
        end(call)
    await asyncio.wait_for(endless.gone.wait(), 5)
    await no_task_but(before)


async def test_a_caller_that_does_not_read_slows_the_provider_down(
    open_gateway: OpenGateway, endless: EndlessProvider
) -> None:
    """Back-pressure: what nobody reads is not fetched."""
    gateway = await open_gateway({"providers": {"openai": endless.profile}})
    call = gateway.files.DownloadFile(pb.DownloadFileRequest(file_id="file-1"))
    assert (await anext(aiter(call))).offset == 0

    async def still() -> bool:
        before = endless.sent_bytes
        await asyncio.sleep(0.2)
        return endless.sent_bytes == before

    await eventually(still)
    assert endless.sent_bytes < 30_000_000
    call.cancel()


# --------------------------------------------------------------------------- ranges


def honouring(request: httpx.Request) -> httpx.Response:
    """A provider that honours ranges."""
    if "range" not in request.headers:
        return httpx.Response(200, content=CONTENT)
    begin = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
    if begin >= len(CONTENT):
        return httpx.Response(416, headers={"content-range": f"bytes */{len(CONTENT)}"})
    place = f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"
    return httpx.Response(206, content=CONTENT[begin:], headers={"content-range": place})


@SHARED
@given(offset=st.integers(0, 1100), limit=st.integers(0, 1100))
async def test_a_provider_may_honour_ranges(faked: Any, offset: int, limit: int) -> None:
    """206 with the rest, 416 beyond the end."""
    gateway = await faked(honouring)
    wanted = CONTENT[offset : offset + limit] if limit else CONTENT[offset:]
    assert await gateway.download("file-1", read_offset=offset, read_limit=limit) == wanted


async def test_a_range_is_asked_for_only_where_it_is_needed(
    gateway: Gateway, account: Account
) -> None:
    file_id = (await gateway.upload(CONTENT, purpose="vision")).file.id
    await gateway.download(file_id)
    await gateway.download(file_id, read_offset=3)
    first, second = (await account.requests())[-2:]
    assert "range" not in first["headers"]
    assert second["headers"]["range"] == "bytes=3-"


async def test_a_range_that_begins_before_is_cut(faked: Any) -> None:
    """A provider may answer with more than was asked for."""

    def earlier(request: httpx.Request) -> httpx.Response:
        place = {"content-range": f"bytes 10-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return httpx.Response(206, content=CONTENT[10:], headers=place)

    gateway = await faked(earlier)
    assert await gateway.download("file-1", read_offset=20, read_limit=5) == CONTENT[20:25]


@pytest.mark.parametrize(
    "place", ["", "bytes 21-1023/1024", "bytes */1024", "lines 20-30/40", "bytes x-y/z"]
)
async def test_another_range_than_asked_for_is_an_error(faked: Any, place: str) -> None:
    def other(request: httpx.Request) -> httpx.Response:
        return httpx.Response(206, content=CONTENT[21:], headers={"content-range": place})

    failure, received = await failed(await faked(other), read_offset=20)
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert received == b""


async def test_a_part_that_nobody_asked_for_is_an_error(faked: Any) -> None:
    """206 to a request for the whole must not pass for the whole."""

    def part(request: httpx.Request) -> httpx.Response:
        place = {"content-range": "bytes 0-9/1024"}
        return httpx.Response(206, content=CONTENT[:10], headers=place)

    failure, received = await failed(await faked(part))
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert received == b""


async def test_a_range_that_ends_early_is_an_error(faked: Any) -> None:
    """A server may answer an open range in parts: what it leaves out must not be lost silently."""

    def part(request: httpx.Request) -> httpx.Response:
        place = {"content-range": "bytes 20-29/1024"}
        return httpx.Response(206, content=CONTENT[20:30], headers=place)

    failure, _ = await failed(await faked(part), read_offset=20)
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")


async def test_a_416_to_no_range_is_an_error(faked: Any) -> None:
    failure, _ = await failed(await faked(lambda _: httpx.Response(416)))
    assert failure.reason == "PROVIDER_REJECTED"


async def test_a_compressed_content_is_not_passed_off_as_the_file(faked: Any) -> None:
    """Not asked for: either it is unpacked, or it is an error, but never handed out as it is."""

    def packed(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        headers = {"content-encoding": "gzip"}
        return httpx.Response(200, content=gzip.compress(CONTENT), headers=headers)

    gateway = await faked(packed)
    assert await gateway.download("file-1") == CONTENT


# --------------------------------------------------------------------------- redirects

SECRETS = ("authorization", "api-key", "openai-organization")


@pytest.mark.parametrize(
    ("location", "trusted"),
    [
        ("https://api.example/elsewhere", True),
        ("/elsewhere", True),
        ("elsewhere", True),
        ("https://API.example:443/elsewhere", True),
        ("https://blob.example/x?sig=1", False),
        ("https://api.example:8443/x", False),
        ("https://sub.api.example/x", False),
        ("https://api.example@evil.example/x", False),
        ("//blob.example/x", False),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed_and_the_credential_stays_at_its_origin(
    faked: Any, location: str, trusted: bool, status: int
) -> None:
    seen: list[httpx.Request] = []

    def redirecting(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        if len(seen) == 1:
            return httpx.Response(status, headers={"location": location})
        return httpx.Response(200, content=CONTENT)

    gateway = await faked(redirecting)
    assert await gateway.download("file-1", read_offset=7) == CONTENT[7:]
    first, second = seen
    assert first.headers["authorization"] == "Bearer sk-of-the-profile"
    assert second.method == "GET"
    assert second.headers["range"] == "bytes=7-"
    for name in SECRETS:
        assert (name in second.headers) == (trusted and name in first.headers), name


async def test_a_credential_does_not_come_back_after_a_foreign_origin(faked: Any) -> None:
    """Back at the provider's own origin it may be sent; at the foreign one in between never."""
    places = iter(["https://blob.example/1", "https://blob.example/2", ""])
    seen: list[httpx.Request] = []

    def redirecting(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        place = next(places)
        if place:
            return httpx.Response(302, headers={"location": place})
        return httpx.Response(200, content=CONTENT)

    assert await (await faked(redirecting)).download("file-1") == CONTENT
    assert ["authorization" in one.headers for one in seen] == [True, False, False]


@pytest.mark.parametrize(
    "location",
    [
        "http://api.example/x",
        "http://blob.example/x",
        "ftp://blob.example/x",
        "file:///etc/passwd",
        "http://[",
        "https://[::1/x",
    ],
)
async def test_a_redirect_to_no_safe_address_is_an_error(faked: Any, location: str) -> None:
    """Neither from https to http, nor to anything but the web."""
    seen: list[httpx.Request] = []

    def redirecting(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": location})

    failure, _ = await failed(await faked(redirecting))
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert len(seen) == 1


async def test_a_redirect_loop_ends(faked: Any) -> None:
    seen: list[httpx.Request] = []

    def looping(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"location": str(request.url)})

    failure, _ = await failed(await faked(looping))
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert len(seen) == 6


async def test_a_redirect_over_real_connections_is_followed(
    gateway: Gateway, account: Account
) -> None:
    """The blob store sees a range and no credential."""
    seen: list[bytes] = []

    async def blob_store(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nblob")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(blob_store, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        place = f"http://127.0.0.1:{port}/blob"
        for provider in PROFILES:
            await account.fault(kind="answer", status=302, headers={"location": place})
            assert await gateway.download("file-1", provider=provider) == b"blob"
    for head in seen:
        assert account.key.encode() not in head
        assert b"api-key" not in head.lower()
        assert b"authorization" not in head.lower()


async def pieces_of(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_pieces_are_at_most_256_kib_however_they_come(faked: Any, size: int) -> None:
    content = CONTENT * 1000

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=pieces_of(content, size))

    # `download` checks sizes and offsets of the pieces.
    assert await (await faked(answer)).download("file-1") == content
