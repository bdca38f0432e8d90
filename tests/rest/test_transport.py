"""Every promise of the transport, over real sockets."""

import asyncio
import contextlib
import socket
import ssl
import struct
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from batchgate_server.rest.transport import open_transport

CHUNK = b"x" * 2**18
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b'HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\n{"error": "no"}'
CUT_OFF = (ConnectionError, asyncio.IncompleteReadError)

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


T = TypeVar("T")


async def soon(waiting: Awaitable[T]) -> T:
    return await asyncio.wait_for(waiting, 5)


@contextlib.asynccontextmanager
async def serve(
    answer: Callable[[Reader, Writer], Awaitable[None]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Answer each connection with a coroutine; what fails in it fails the test."""
    tasks: list[asyncio.Task[None]] = []

    async def connected(reader: Reader, writer: Writer) -> None:
        try:
            await answer(reader, writer)
        finally:
            writer.transport.abort()

    def accept(reader: Reader, writer: Writer) -> None:
        tasks.append(asyncio.create_task(connected(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls, limit=2**20)
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        await soon(asyncio.gather(*tasks))
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@contextlib.asynccontextmanager
async def opened(
    max_connections: int = 10, **settings: Any
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    async with open_transport(max_connections=max_connections, **settings) as transport:
        yield transport


@dataclass
class Body:
    """A request body that tells what happens to it."""

    chunks: int = 10**9
    fails_with: BaseException | None = None
    waits: bool = False
    given: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(self.chunks):
                self.given += 1
                yield CHUNK
            if self.fails_with:
                raise self.fails_with
            if self.waits:
                await asyncio.Event().wait()
        finally:
            self.ended.set()


def upload(
    url: str, body: AsyncIterator[bytes] | Body, length: int | None = None, **timeout: float | None
) -> httpx.Request:
    headers = {} if length is None else {"Content-Length": str(length)}
    return httpx.Request(
        "POST", url, content=aiter(body), headers=headers, extensions={"timeout": timeout}
    )


def reset(writer: Writer) -> None:
    """Make the kernel answer with RST instead of an orderly end."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def head(reader: Reader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def rest(reader: Reader) -> bytes:
    """All that comes until the connection ends, properly or not."""
    received = bytearray()
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(2**18):
            received += data
    return bytes(received)


# The request as it is sent


async def test_sends_exactly_what_it_is_given() -> None:
    heads: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        heads.append(await head(reader))
        writer.write(OK)
        await reader.read()

    async with serve(answer) as url, opened() as transport:
        request = httpx.Request(
            "GET",
            f"{url}/v1/files/a%2Fb+c%20d?after=x%2By&limit=1#part",
            headers=[("X-Case-Kept", "1"), ("x-twice", "a"), ("x-twice", "b c ")],
        )
        response = await soon(transport.handle_async_request(request))
        assert (response.status_code, await response.aread()) == (200, b"ok")
    assert heads[0].decode().split("\r\n") == [
        "GET /v1/files/a%2Fb+c%20d?after=x%2By&limit=1 HTTP/1.1",
        f"Host: {request.url.netloc.decode()}",
        "X-Case-Kept: 1",
        "x-twice: a",
        "x-twice: b c ",
        "",
        "",
    ]


async def test_body_of_unknown_length_is_sent_in_chunks() -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        received.append(await head(reader))
        received.append(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(OK)
        received.append(await reader.read())

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(upload(url, Body(chunks=1))))
        assert await response.aread() == b"ok"
    assert received[1:] == [b"40000\r\n" + CHUNK + b"\r\n0\r\n\r\n", b""]
    lines = received[0].decode().split("\r\n")
    assert [line.split(":")[0] for line in lines[1:-2]] == [
        "Host",
        "Transfer-Encoding",
        "Connection",
    ]


async def test_body_of_known_length_is_sent_as_it_is() -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        received.append(await head(reader))
        received.append(await reader.readexactly(2 * len(CHUNK)))
        writer.write(OK)
        received.append(await reader.read())

    async with serve(answer) as url, opened() as transport:
        request = upload(url, Body(chunks=2), length=2 * len(CHUNK))
        response = await soon(transport.handle_async_request(request))
        assert await response.aread() == b"ok"
    assert received[1:] == [2 * CHUNK, b""]
    assert b"Transfer-Encoding" not in received[0]


async def test_body_in_memory() -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        received.append(await reader.readexactly(7))
        writer.write(OK)

    async with serve(answer) as url, opened() as transport:
        request = httpx.Request("POST", url, json={"a": 1})
        assert (await soon(transport.handle_async_request(request))).status_code == 200
    assert received == [b'{"a":1}']


@pytest.mark.parametrize("length", [len(CHUNK) - 1, len(CHUNK) + 1])
async def test_body_of_another_length_than_declared_is_refused(length: int) -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await head(reader)
            received.append(await rest(reader))

    async with serve(answer) as url, opened() as transport:
        with pytest.raises(httpx.LocalProtocolError, match="Content-Length"):
            await soon(transport.handle_async_request(upload(url, Body(chunks=1), length)))
    assert all(len(part) < length for part in received)


@pytest.mark.parametrize(
    ("url", "headers", "error"),
    [
        ("ftp://127.0.0.1/", {}, httpx.UnsupportedProtocol),
        ("http://127.0.0.1:1/", {"X-Bad": b"a\r\nb: c"}, httpx.ConnectError),
    ],
)
async def test_what_is_not_http_is_refused(url: str, headers: Any, error: Any) -> None:
    async with opened() as transport:
        with pytest.raises(error):
            await transport.handle_async_request(httpx.Request("GET", url, headers=headers))


# A body that fails, is cut off or not wanted


@pytest.mark.parametrize("length", [None, 10 * len(CHUNK)])
async def test_bodys_own_exception_comes_out_and_the_body_stays_open(length: int | None) -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        received.append(await rest(reader))

    failure = TimeoutError("the caller's own")
    async with serve(answer) as url, opened() as transport:
        body = Body(chunks=3, fails_with=failure)
        with pytest.raises(TimeoutError) as caught:
            await soon(transport.handle_async_request(upload(url, body, length)))
        assert caught.value is failure
        assert body.ended.is_set()
    assert len(received[0]) < 4 * len(CHUNK)
    assert not received[0].endswith(b"0\r\n\r\n")


async def test_bodys_own_cancellation_comes_out() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        assert not (await rest(reader)).endswith(b"0\r\n\r\n")

    async with serve(answer) as url, opened() as transport:
        body = Body(chunks=3, fails_with=asyncio.CancelledError("the caller is gone"))
        with pytest.raises(asyncio.CancelledError, match="the caller is gone"):
            await transport.handle_async_request(upload(url, body))


@pytest.mark.parametrize("length", [None, 10**12])
@pytest.mark.parametrize("waits", [False, True], ids=["blocked", "waiting"])
async def test_early_answer_ends_the_body_at_once(*, waits: bool, length: int | None) -> None:
    gone = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        writer.write(REFUSED[:-5])
        await gone.wait()  # reading no more
        writer.write(REFUSED[-5:])
        assert not (await rest(reader)).endswith(b"0\r\n\r\n")

    async with serve(answer) as url, opened() as transport:
        body = Body(chunks=1, waits=True) if waits else Body()
        response = await soon(transport.handle_async_request(upload(url, body, length)))
        assert response.status_code == 401
        assert body.ended.is_set()
        gone.set()
        assert await soon(response.aread()) == b'{"error": "no"}'


async def test_early_answer_that_is_complete_at_once() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        writer.write(REFUSED)
        await writer.drain()
        await rest(reader)

    async with serve(answer) as url, opened(max_connections=1) as transport:
        for _ in range(20):
            body = Body()
            response = await soon(transport.handle_async_request(upload(url, body)))
            assert response.status_code == 401
            assert await soon(response.aread()) == b'{"error": "no"}'
            await soon(body.ended.wait())


async def test_early_answer_that_stalls_times_out() -> None:
    ended = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        writer.write(REFUSED[:-5])
        await ended.wait()

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(upload(url, Body(), read=0.1)))
        with pytest.raises(httpx.ReadTimeout):
            await soon(response.aread())
        ended.set()


async def test_early_answer_left_unread_cuts_the_connection() -> None:
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        writer.write(REFUSED[:-5])
        received.append(await rest(reader))

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(upload(url, Body())))
        await response.aclose()
    assert not received[0].endswith(b"0\r\n\r\n")


async def test_reset_in_the_middle_of_the_body() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        reset(writer)

    async with serve(answer) as url, opened() as transport:
        body = Body()
        with pytest.raises((httpx.WriteError, httpx.ReadError)) as caught:
            await soon(transport.handle_async_request(upload(url, body)))
        assert caught.value.__cause__ is not None
        assert caught.value.request.url == url
        assert body.ended.is_set()


async def test_reset_while_the_body_has_nothing_to_send() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        reset(writer)

    async with serve(answer) as url, opened() as transport:
        body = Body(chunks=1, waits=True)
        with pytest.raises((httpx.WriteError, httpx.ReadError)):
            await soon(transport.handle_async_request(upload(url, body)))
        assert body.ended.is_set()


@pytest.mark.parametrize("waits", [False, True], ids=["blocked", "waiting"])
async def test_cancelling_cuts_the_connection(*, waits: bool) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()
    received: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        started.set()
        await cancelled.wait()  # reading nothing while the caller gives up
        received.append(await rest(reader))

    async with serve(answer) as url, opened() as transport:
        body = Body(chunks=3, waits=True) if waits else Body()
        call = asyncio.create_task(transport.handle_async_request(upload(url, body)))
        await soon(started.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        assert body.ended.is_set()
        cancelled.set()
    assert not received[0].endswith(b"0\r\n\r\n")


async def test_cancelling_while_waiting_for_the_answer() -> None:
    started, gone = asyncio.Event(), asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        started.set()
        assert await rest(reader) == b""
        gone.set()

    async with serve(answer) as url, opened(max_connections=1) as transport:
        call = asyncio.create_task(transport.handle_async_request(httpx.Request("GET", url)))
        await soon(started.wait())
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await soon(call)
        await soon(gone.wait())


async def test_slow_server_slows_the_body() -> None:
    ended = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await reader.readexactly(2**16)
        await ended.wait()

    async with serve(answer) as url, opened() as transport:
        body = Body()
        with pytest.raises(httpx.WriteTimeout):
            await soon(transport.handle_async_request(upload(url, body, write=0.2)))
        ended.set()
        # What fits into the two kernels' socket buffers, and a little.
        assert body.given < 64
        assert body.ended.is_set()


# The answer


@pytest.mark.parametrize(
    "answer_start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\npart",
    ],
    ids=["length", "between-chunks", "in-a-chunk"],
)
@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_answer_that_is_cut_off_never_looks_complete(answer_start: bytes, how: str) -> None:
    begun = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(answer_start)
        await begun.wait()
        if how == "reset":
            reset(writer)
        else:
            writer.close()

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        chunks = response.aiter_raw()
        assert await soon(anext(chunks)) == b"part"
        begun.set()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)) as caught:
            await soon(anext(chunks))
        assert caught.value.__cause__ is not None


async def test_answer_that_ends_with_a_reset_never_looks_complete() -> None:
    begun = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npart")
        await begun.wait()
        reset(writer)

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        chunks = response.aiter_raw()
        assert await soon(anext(chunks)) == b"part"
        begun.set()
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await soon(anext(chunks))


@pytest.mark.parametrize(
    ("answer_start", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-", httpx.RemoteProtocolError),
        (b"SSH-2.0-OpenSSH\r\n\r\n", httpx.RemoteProtocolError),
    ],
    ids=["nothing", "half-a-head", "not-http"],
)
async def test_no_proper_answer(answer_start: bytes, error: type[Exception]) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(answer_start)
        writer.close()

    async with serve(answer) as url, opened() as transport:
        with pytest.raises(error) as caught:
            await soon(transport.handle_async_request(httpx.Request("GET", url)))
        assert caught.value.__cause__ is not None


async def test_silent_server_times_out() -> None:
    ended = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await ended.wait()

    async with serve(answer) as url, opened() as transport:
        request = httpx.Request("GET", url, extensions={"timeout": {"read": 0.05}})
        with pytest.raises(httpx.ReadTimeout) as caught:
            await soon(transport.handle_async_request(request))
        assert caught.value.__cause__ is not None
        ended.set()


async def test_answer_passes_as_it_is() -> None:
    answers = [
        b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Case: 1\r\n%b"
        % b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nGZIP",
        OK,
    ]
    heads: list[bytes] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        for each in answers:
            heads.append(await head(reader))
            writer.write(each)

    async with serve(answer) as url, opened() as transport:
        responses = []
        for _ in answers:
            request = httpx.Request("GET", url)
            response = await soon(transport.handle_async_request(request))
            body = b"".join([chunk async for chunk in response.aiter_raw()])
            responses.append((response, body))
    assert [(each.status_code, each.reason_phrase, body) for each, body in responses] == [
        (302, "Found", b""),
        (200, "Fine", b"GZIP"),
        (200, "OK", b"ok"),
    ]
    assert responses[1][0].headers.raw[:3] == [
        (b"Set-Cookie", b"a=b"),
        (b"Set-Cookie", b"c=d"),
        (b"X-Case", b"1"),
    ]
    assert b"ookie" not in heads[2]


async def test_unread_answer_holds_little() -> None:
    ended = asyncio.Event()
    sent = 0

    async def answer(reader: Reader, writer: Writer) -> None:
        nonlocal sent
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            while True:
                writer.write(CHUNK)
                await asyncio.wait_for(writer.drain(), 0.2)
                sent += len(CHUNK)
        ended.set()
        await rest(reader)

    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        await soon(ended.wait())
        await response.aclose()
    assert sent < 2**24


# Connections


async def test_no_environment_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(OK)

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serve(answer) as url, opened() as transport:
        response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        assert await response.aread() == b"ok"


async def test_reads_reuse_a_connection_and_changes_never_do() -> None:
    connections: list[list[str]] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        methods: list[str] = []
        connections.append(methods)
        with contextlib.suppress(*CUT_OFF):
            while True:
                methods.append((await head(reader)).split()[0].decode())
                writer.write(OK)

    async with serve(answer) as url, opened() as transport:
        for method in ("GET", "POST", "GET", "DELETE", "GET"):
            response = await soon(transport.handle_async_request(httpx.Request(method, url)))
            await response.aread()
    assert connections == [["GET", "GET", "GET"], ["POST"], ["DELETE"]]


async def test_idle_connection_expires() -> None:
    connections = 0

    async def answer(reader: Reader, writer: Writer) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(*CUT_OFF):
            while await head(reader):
                writer.write(OK)

    async with serve(answer) as url, opened(keepalive_expiry_seconds=1e-9) as transport:
        for _ in range(2):
            response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
            await response.aread()
    assert connections == 2


@pytest.mark.parametrize("orderly", [True, False])
async def test_a_read_on_a_stale_connection_is_sent_on_a_new_one_at_once(orderly: bool) -> None:
    """Never on another kept one, which may be as stale."""
    answers: list[int] = []

    async def answer(reader: Reader, writer: Writer) -> None:
        number = len(answers)
        answers.append(0)
        with contextlib.suppress(*CUT_OFF):
            while True:
                await head(reader)
                if answers[number]:
                    # Kept alive after an answer, and given up when it is used again.
                    writer.close() if orderly else reset(writer)
                    return
                answers[number] += 1
                writer.write(OK)

    async with serve(answer) as url, opened() as transport:
        get = httpx.Request("GET", url)
        kept = [await soon(transport.handle_async_request(get)) for _ in range(3)]
        for response in kept:
            await response.aread()
        response = await soon(transport.handle_async_request(get))
        assert await response.aread() == b"ok"
    assert answers == [1, 1, 1, 1]


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_new_connection_that_breaks_is_not_tried_again(method: str) -> None:
    requests = 0

    async def answer(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        await head(reader)
        requests += 1
        reset(writer)

    async with serve(answer) as url, opened() as transport:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await soon(transport.handle_async_request(httpx.Request(method, url)))
    assert requests == 1


async def test_unread_answer_gives_its_connection_back() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await rest(reader)

    async with serve(answer) as url, opened(max_connections=1) as transport:
        for _ in range(3):
            response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
            await response.aclose()
            await response.aclose()


async def test_full_pool_times_out_without_sending() -> None:
    requests = 0

    async def answer(reader: Reader, writer: Writer) -> None:
        nonlocal requests
        with contextlib.suppress(*CUT_OFF):
            while await head(reader):
                requests += 1
                writer.write(OK)

    async with serve(answer) as url, opened(max_connections=1) as transport:
        first = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        for method in ("GET", "POST"):
            request = httpx.Request(method, url, extensions={"timeout": {"pool": 0.02}})
            with pytest.raises(httpx.PoolTimeout) as caught:
                await soon(transport.handle_async_request(request))
            assert caught.value.__cause__ is not None
        waiting = asyncio.create_task(transport.handle_async_request(httpx.Request("GET", url)))
        await first.aread()
        assert await (await soon(waiting)).aread() == b"ok"
    assert requests == 2


async def test_more_than_may_wait_do_not_wait() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        with contextlib.suppress(*CUT_OFF):
            while await head(reader):
                writer.write(OK)

    async with (
        serve(answer) as url,
        opened(max_connections=1, max_waiting=2) as transport,
    ):
        first = await soon(transport.handle_async_request(httpx.Request("GET", url)))
        waiting = [
            asyncio.create_task(transport.handle_async_request(httpx.Request("GET", url)))
            for _ in range(2)
        ]
        await asyncio.sleep(0)
        for _ in range(2):
            with pytest.raises(httpx.PoolTimeout):
                await soon(transport.handle_async_request(httpx.Request("GET", url)))
        # One that goes makes room for another.
        waiting.pop().cancel()
        await asyncio.sleep(0)
        waiting.append(
            asyncio.create_task(transport.handle_async_request(httpx.Request("GET", url)))
        )
        await first.aread()
        for each in waiting:
            assert await (await soon(each)).aread() == b"ok"


async def test_refused_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with opened() as transport:
            body = Body()
            with pytest.raises(httpx.ConnectError) as caught:
                await soon(transport.handle_async_request(upload(url, body)))
    assert isinstance(caught.value.__cause__, OSError)
    assert body.given == 0


async def test_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", unknown, raising=True)
    async with opened() as transport:
        with pytest.raises(httpx.ConnectError) as caught:
            await soon(transport.handle_async_request(httpx.Request("GET", "http://no.invalid")))
    assert caught.value.__cause__ is not None


async def test_connecting_that_takes_too_long() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.setblocking(False)
            each.connect_ex(address)
        async with opened() as transport:
            request = httpx.Request(
                "GET", f"http://127.0.0.1:{address[1]}", extensions={"timeout": {"connect": 0.1}}
            )
            with pytest.raises(httpx.ConnectTimeout) as caught:
                await soon(transport.handle_async_request(request))
        for each in filling:
            each.close()
    assert caught.value.__cause__ is not None


async def test_handshake_that_takes_too_long() -> None:
    ended = asyncio.Event()

    async def answer(reader: Reader, writer: Writer) -> None:
        await ended.wait()

    async with serve(answer) as url, opened() as transport:
        request = httpx.Request(
            "GET", url.replace("http", "https"), extensions={"timeout": {"connect": 0.1}}
        )
        with pytest.raises(httpx.ConnectTimeout):
            await soon(transport.handle_async_request(request))
        ended.set()


@pytest.fixture
def server_tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate of its own maker, made anew as it would expire in the repository."""
    files = ["-keyout", f"{tmp_path}/key", "-out", f"{tmp_path}/certificate"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", *curve, *files, *name]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{tmp_path}/certificate", f"{tmp_path}/key")
    return context


async def test_trusts_whom_the_given_context_trusts(
    server_tls: ssl.SSLContext, tmp_path: Path
) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(OK)
        await rest(reader)

    trusting = ssl.create_default_context(cafile=f"{tmp_path}/certificate")
    async with serve(answer, server_tls) as url, opened(verify=trusting) as transport:
        for method in ("GET", "POST"):
            response = await soon(transport.handle_async_request(httpx.Request(method, url)))
            assert await response.aread() == b"ok"


async def test_untrusted_certificate_is_a_failure_to_connect(server_tls: ssl.SSLContext) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        raise AssertionError("nothing may be sent")

    async with serve(answer, server_tls) as url, opened() as transport:
        body = Body()
        with pytest.raises(httpx.ConnectError) as caught:
            await soon(transport.handle_async_request(upload(url, body)))
    assert isinstance(caught.value.__cause__, ssl.SSLError)
    assert body.given == 0


async def test_closing_ends_calls_in_progress() -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        await head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        await rest(reader)

    async def silent(reader: Reader, writer: Writer) -> None:
        await rest(reader)

    async with serve(answer) as url, serve(silent) as nowhere:
        async with opened() as transport:
            response = await soon(transport.handle_async_request(httpx.Request("GET", url)))
            reading = asyncio.create_task(response.aread())
            waiting = asyncio.create_task(
                transport.handle_async_request(httpx.Request("GET", nowhere))
            )
            await asyncio.wait([reading], timeout=0.05)
        with pytest.raises(httpx.TransportError):
            await soon(waiting)
        with pytest.raises(httpx.TransportError):
            await soon(reading)
