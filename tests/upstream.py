"""What stands between a gateway and its provider: TLS, and an HTTP proxy. Both over real sockets."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.certificates import Issued

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handle: Handle, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that serves each connection by `handle`, and ends all at the end."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                await handle(reader, writer)
        except asyncio.CancelledError:
            pass  # the end of the test; asyncio's server would complain of it
        finally:
            tasks.discard(task)
            writer.transport.abort()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def joined(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
) -> None:
    """Pass bytes in both directions until either side ends."""
    other_reader, other_writer = await asyncio.open_connection(host, port)

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ssl.SSLError):
            while data := await source.read(2**16):
                target.write(data)
                await target.drain()

    copies = [
        asyncio.create_task(copy(reader, other_writer)),
        asyncio.create_task(copy(other_reader, writer)),
    ]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        # First, since this task may be cancelled once more.
        other_writer.transport.abort()
        other_writer.close()
        for one in copies:
            one.cancel()
        await asyncio.gather(*copies, return_exceptions=True)


def server_tls(issued: Issued, *, clients: str | None = None) -> ssl.SSLContext:
    """TLS of a server with this certificate; `clients` is the PEM file of whom it lets in."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate_file, issued.key_file)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


@dataclass
class Front:
    """TLS in front of a provider that speaks plain HTTP."""

    url: str = ""
    serials: list[int] = field(default_factory=list)
    """Of the certificates that clients have shown, one a connection."""
    connections: int = 0


@asynccontextmanager
async def tls_front(url: str, tls: ssl.SSLContext) -> AsyncIterator[Front]:
    """A front at `https://localhost:PORT` of the server at `url`."""
    target = urlsplit(url)
    front = Front()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        front.connections += 1
        shown = writer.get_extra_info("peercert")
        if shown:
            front.serials.append(int(shown["serialNumber"], 16))
        assert target.hostname and target.port  # noqa: PT018 - both are there
        await joined(reader, writer, target.hostname, target.port)

    async with listening(handle, tls) as port:
        front.url = f"https://localhost:{port}"
        yield front


@dataclass
class Proxy:
    """An HTTP proxy that knows CONNECT alone."""

    port: int = 0
    credential: str = ""
    """`user:password` that it asks for, if any."""
    answer: bytes | None = None
    """What it says to each CONNECT in place of connecting; empty to hang up."""
    heads: list[str] = field(default_factory=list)
    """What it was sent, up to the empty line."""

    def url(self, userinfo: str = "") -> str:
        return f"http://{userinfo}{'@' if userinfo else ''}127.0.0.1:{self.port}"


@asynccontextmanager
async def http_proxy(**settings: Any) -> AsyncIterator[Proxy]:
    """A proxy on this machine."""
    proxy = Proxy(**settings)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        proxy.heads.append(head)
        wanted = b64encode(proxy.credential.encode()).decode()
        if proxy.answer is not None:
            writer.write(proxy.answer)
            await writer.drain()
            return
        if proxy.credential and f"Proxy-Authorization: Basic {wanted}\r\n" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        method, target, _ = head.split(" ", 2)
        assert method == "CONNECT", head
        host, _, port = target.rpartition(":")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await joined(reader, writer, host, int(port))

    async with listening(handle) as port:
        proxy.port = port
        yield proxy
