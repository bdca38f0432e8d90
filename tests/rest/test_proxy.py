"""The transport's promises hold through an HTTP proxy, with a real TLS server behind it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from batchgate_server.rest.transport import open_transport
from tests.certificates import Authority
from tests.upstream import Handle, Proxy, http_proxy, listening, server_tls

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"
CHUNK = b"x" * 2**18


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def provider(handle: Handle, authority: Authority) -> AsyncIterator[str]:
    async with listening(handle, server_tls(authority.issue("provider"))) as port:
        yield f"https://localhost:{port}"


@asynccontextmanager
async def through(
    proxy: Proxy, authority: Authority, userinfo: str = ""
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    verify = ssl.create_default_context(cafile=authority.file)
    url = proxy.url(userinfo)
    async with open_transport(verify=verify, proxy=lambda: url, max_connections=5) as transport:
        yield transport


async def heads_of(reader: asyncio.StreamReader, into: list[str]) -> None:
    into.append((await reader.readuntil(b"\r\n\r\n")).decode())


async def sent(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> httpx.Response:
    response = await asyncio.wait_for(transport.handle_async_request(request), 10)
    await response.aread()
    return response


async def test_reads_share_a_tunnel_and_creations_have_their_own(authority: Authority) -> None:
    """The proxy alone sees its credential, and the provider alone the request."""
    seen: list[str] = []
    connections: list[int] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(seen))
        while True:
            await heads_of(reader, seen)
            writer.write(OK)

    async with (
        provider(answer, authority) as url,
        http_proxy(credential="user:p@ss word") as proxy,
        through(proxy, authority, "user:p%40ss%20word") as transport,
    ):
        for method in ("GET", "GET", "POST", "POST"):
            request = httpx.Request(
                method, f"{url}/v1/files", headers={"authorization": "Bearer k"}
            )
            assert (await sent(transport, request)).status_code == 200
    assert connections == [0, 2, 3]
    assert len(proxy.heads) == 3
    host = url.removeprefix("https://")
    assert all(head.startswith(f"CONNECT {host} HTTP/1.1\r\n") for head in proxy.heads)
    assert not any("Bearer" in head for head in proxy.heads)
    assert all("Authorization: Basic " not in head for head in seen)
    assert [head.split(" ")[:2] for head in seen] == [
        [m, "/v1/files"] for m in ("GET", "GET", "POST", "POST")
    ]


async def test_an_early_answer_ends_an_upload(authority: Authority) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield CHUNK
        finally:
            ended.set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2**16)
        writer.write(REFUSED)
        await asyncio.Event().wait()

    async with (
        provider(answer, authority) as url,
        http_proxy() as proxy,
        through(proxy, authority) as transport,
    ):
        response = await sent(transport, httpx.Request("POST", url, content=endless()))
    assert response.status_code == 401
    assert ended.is_set()


async def test_a_body_that_fails_never_looks_complete(authority: Authority) -> None:
    received = bytearray()
    over = asyncio.Event()

    async def failing() -> AsyncIterator[bytes]:
        yield CHUNK
        raise LookupError("the caller's own")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                received.extend(data)
        finally:
            over.set()

    async with (
        provider(answer, authority) as url,
        http_proxy() as proxy,
        through(proxy, authority) as transport,
    ):
        with pytest.raises(LookupError):
            await sent(transport, httpx.Request("POST", url, content=failing()))
        await asyncio.wait_for(over.wait(), 10)
    assert b"\r\n0\r\n\r\n" not in received


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 nope\r\nContent-Length: 0\r\n\r\n", "answered 407 (it wants a user name"),
        (b"HTTP/1.1 403 secret\r\nContent-Length: 3\r\n\r\nwhy", "answered 403 (it does not allow"),
        (b"HTTP/1.1 502 secret\r\nContent-Length: 0\r\n\r\n", "answered 502 (it cannot reach"),
        (b"HTTP/1.1 418 secret\r\nContent-Length: 0\r\n\r\n", "answered 418"),
        (b"", "broke the connection off"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "broke the connection off"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refusal_of_the_proxy_is_told(
    authority: Authority, answer: bytes, said: str, method: str
) -> None:
    async with http_proxy(answer=answer) as proxy, through(proxy, authority, "u:pa55") as transport:
        with pytest.raises(httpx.ProxyError) as caught:
            await sent(transport, httpx.Request(method, "https://provider.invalid/v1"))
    assert str(caught.value).startswith(f"its proxy {said}")
    assert "secret" not in str(caught.value)
    assert "pa55" not in str(caught.value)
    assert len(proxy.heads) == 1, "one attempt"


async def test_a_proxy_that_is_not_there(authority: Authority) -> None:
    async with http_proxy() as proxy:
        pass
    async with through(proxy, authority) as transport:
        with pytest.raises(httpx.ProxyError, match=r"cannot be reached \(connection refused\)"):
            await sent(transport, httpx.Request("GET", "https://provider.invalid"))


async def test_a_proxy_that_says_nothing_in_time(authority: Authority) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with listening(silent) as port, through(Proxy(port=port), authority) as transport:
        request = httpx.Request(
            "POST", "https://provider.invalid", extensions={"timeout": {"connect": 0.05}}
        )
        with pytest.raises(httpx.ConnectTimeout):
            await sent(transport, request)


async def test_a_provider_of_another_authority_is_refused(
    authority: Authority, tmp_path: Path
) -> None:
    """Through a proxy too, the provider's certificate counts."""

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise AssertionError("a request has arrived")

    async with (
        provider(never, Authority(tmp_path, "other")) as url,
        http_proxy() as proxy,
        through(proxy, authority) as transport,
    ):
        with pytest.raises(httpx.ConnectError):
            await sent(transport, httpx.Request("GET", url))


async def test_a_plain_provider_is_asked_through_the_proxy(authority: Authority) -> None:
    async with http_proxy(answer=OK) as proxy, through(proxy, authority, "u:pa55") as transport:
        await sent(transport, httpx.Request("GET", "http://provider.invalid/v1/files?limit=1"))
    (head,) = proxy.heads
    assert head.startswith("GET http://provider.invalid/v1/files?limit=1 HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dTpwYTU1\r\n" in head
