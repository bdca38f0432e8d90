"""Floods of every kind against a process: its memory is bounded, and others are served meanwhile."""

import asyncio
import resource
import socket
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import psutil
import pytest

from batchgate.v1 import provider_service_pb2 as pb
from tests.abuse.connection import Connection
from tests.http2 import (
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    grpc_message,
    header_block,
)
from tests.process.conftest import GatewayProcess, Start
from tests.waiting import eventually

PING, CONTINUATION, CANCEL = 6, 9, 8
MEGABYTE = 1_000_000
CONNECTIONS = 10_000
GET_FILE = "/batchgate.v1.FileService/GetFile"
HEADER_BLOCK = header_block(
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", GET_FILE),
        (":authority", "gateway"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
)


class Others:
    """Another caller, who goes on calling; and what the process needs meanwhile."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._gateway = gateway
        self._process = psutil.Process(gateway.process.pid)
        self._base = self._process.memory_info().rss
        self.slowest = 0.0
        self.grown = 0

    @property
    def open_files(self) -> int:
        return self._process.num_fds()

    def has_open(self, most: int) -> bool:
        """Whether at most so many files are open."""
        return self.open_files <= most

    async def served(self) -> None:
        """A call is answered."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await self._gateway.providers.ListProviders(pb.ListProvidersRequest(), timeout=10)
        self.slowest = max(self.slowest, loop.time() - begin)
        self.grown = max(self.grown, self._process.memory_info().rss - self._base)

    async def _call_again_and_again(self) -> None:
        while True:
            await self.served()
            await asyncio.sleep(0.02)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """While this context is open, and once behind it."""
        await self.served()
        calls = asyncio.create_task(self._call_again_and_again())
        try:
            yield
        finally:
            calls.cancel()
            with suppress(asyncio.CancelledError):
                await calls
        await self.served()
        print(  # noqa: T201 - for -s
            f"{self.grown / MEGABYTE:.0f} MB more, slowest call {self.slowest * 1000:.0f} ms"
        )


@pytest.fixture
async def gateway(start: Start) -> GatewayProcess:
    return await start(listen="127.0.0.1:0", BATCHGATE_LOG__LEVEL="error")


@pytest.fixture
def many_files() -> Iterator[int]:
    """How many connections this process can open, as many as wanted if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 500
    allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    yield min(CONNECTIONS, allowed - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
    return sock


async def test_ten_thousand_connections_that_send_nothing(start: Start, many_files: int) -> None:
    """Nothing at all, then nothing but HTTP/2's greeting."""
    gateway = await start(
        listen="127.0.0.1:0",
        BATCHGATE_LOG__LEVEL="error",
        # The first must still be there when the last is opened, however long that takes.
        BATCHGATE_SERVER__HANDSHAKE_TIMEOUT_SECONDS="100",
    )
    # Counted once: the second time, a connection of the first may still be about to be closed.
    before = Others(gateway).open_files
    for greeting in (b"", PREFACE + frame(SETTINGS, 0, 0, b"")):
        await connections_that_send(greeting, gateway, before=before, count=many_files)


async def connections_that_send(
    greeting: bytes, gateway: GatewayProcess, *, before: int, count: int
) -> None:
    others = Others(gateway)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as opened, others.calling():
        for _ in range(count):
            sock = await connect(gateway.address)
            opened.callback(sock.close)
            if greeting:
                await loop.sock_sendall(sock, greeting)
        await eventually(lambda: others.open_files >= before + count)
        # Somebody new gets in, too.
        fresh = await Connection.open(gateway.address)
        assert (await fresh.call(GET_FILE, grpc_message(b""))).status == 3
        fresh.close()
        print(f"{count} connections")  # noqa: T201 - for -s
    await eventually(lambda: others.open_files <= before + 2)
    assert others.grown < 250 * MEGABYTE
    assert others.slowest < 5


async def test_connections_over_the_limit_are_closed_and_make_room_again(start: Start) -> None:
    gateway = await start(
        listen="127.0.0.1:0",
        BATCHGATE_LOG__LEVEL="error",
        BATCHGATE_SERVER__MAX_CONNECTIONS="20",
    )
    others = Others(gateway)
    await others.served()
    greeting = PREFACE + frame(SETTINGS, 0, 0, b"")
    loop = asyncio.get_running_loop()

    async def is_taken(sock: socket.socket) -> bool:
        with suppress(ConnectionError):
            await loop.sock_sendall(sock, greeting)
            return bool(await loop.sock_recv(sock, 100))
        return False

    socks = [await connect(gateway.address) for _ in range(40)]
    taken = [sock for sock in socks if await is_taken(sock)]
    # One is that of the channel.
    assert len(taken) == 19
    await others.served()
    for sock in socks:
        sock.close()

    async def new_one_is_taken() -> bool:
        sock = await connect(gateway.address)
        try:
            return await is_taken(sock)
        finally:
            sock.close()

    await eventually(new_one_is_taken)


async def flood(address: str, begin: bytes, more: Callable[[int], bytes], *, rounds: int) -> int:
    """Send `more` of each round until the server hangs up; how many rounds it took."""
    reader, writer = await asyncio.open_connection(*address.split(":"))

    async def read_all() -> None:
        with suppress(ConnectionError):
            while await reader.read(65536):
                pass

    reading = asyncio.create_task(read_all())
    done = 0
    with suppress(ConnectionError):
        writer.write(PREFACE + frame(SETTINGS, 0, 0, b"") + begin)
        for done in range(rounds):
            writer.write(more(done))
            async with asyncio.timeout(20):
                await writer.drain()
            if reading.done():
                break
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
    await reading
    return done


def opened_and_reset(number: int) -> bytes:
    """A thousand calls that are cancelled at once (CVE-2023-44487)."""
    streams = range(1 + 2000 * number, 2001 + 2000 * number, 2)
    return b"".join(
        frame(HEADERS, END_HEADERS, stream, HEADER_BLOCK)
        + frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))
        for stream in streams
    )


def opened_and_left(number: int) -> bytes:
    """A thousand calls that never send their message."""
    streams = range(1 + 2000 * number, 2001 + 2000 * number, 2)
    return b"".join(frame(HEADERS, END_HEADERS, stream, HEADER_BLOCK) for stream in streams)


def ended_at_once(number: int) -> bytes:
    """A thousand calls that end without their message."""
    streams = range(1 + 2000 * number, 2001 + 2000 * number, 2)
    return b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, stream, HEADER_BLOCK) for stream in streams
    )


ONE_MORE_HEADER = header_block([("x-filler", "x" * 100)])
FLOODS: dict[str, tuple[bytes, Callable[[int], bytes], int, int]] = {
    # What the connection begins with, what follows, how many rounds, and at most so many MB more.
    "rapid reset": (b"", opened_and_reset, 40, 150),
    "calls without end": (b"", opened_and_left, 20, 150),
    "calls without message": (b"", ended_at_once, 20, 150),
    "ping": (b"", lambda _: frame(PING, 0, 0, bytes(8)) * 1000, 50, 50),
    "settings": (b"", lambda _: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 1000, 50, 50),
    "continuation": (
        frame(HEADERS, 0, 1, HEADER_BLOCK),
        lambda _: frame(CONTINUATION, 0, 1, ONE_MORE_HEADER) * 1000,
        400,
        150,
    ),
    "empty continuation": (
        frame(HEADERS, 0, 1, HEADER_BLOCK),
        lambda _: frame(CONTINUATION, 0, 1, b"") * 1000,
        200,
        50,
    ),
    "one endless header": (
        # A literal of 256 MiB, of which 16 KiB come in each frame.
        frame(HEADERS, 0, 1, HEADER_BLOCK + b"\x00\x03x-y\x7f\x81\xff\xff\x7f"),
        lambda _: frame(CONTINUATION, 0, 1, b"x" * 16000),
        4000,
        150,
    ),
}


async def test_floods_on_one_connection(gateway: GatewayProcess) -> None:
    for kind, (begin, more, rounds, megabytes) in FLOODS.items():
        others = Others(gateway)
        before = others.open_files
        async with others.calling():
            await flood(gateway.address, begin, more, rounds=rounds)
            await eventually(partial(others.has_open, before + 1))
        assert others.grown < megabytes * MEGABYTE, kind
        assert others.slowest < 3, kind


async def test_bombs_are_not_unpacked(gateway: GatewayProcess) -> None:
    """An eighth of a megabyte that would become 128, eight times at once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = bytes(2**20)
    bomb = b"".join(packer.compress(megabyte) for _ in range(128)) + packer.flush()
    others = Others(gateway)

    async def throw() -> int | None:
        connection = await Connection.open(gateway.address)
        message = b"\x01" + grpc_message(bomb)[1:]
        call = await connection.call(GET_FILE, message, headers=[("grpc-encoding", "gzip")])
        connection.close()
        return call.status

    async with others.calling():
        assert set(await asyncio.gather(*(throw() for _ in range(8)))) == {12}
    assert others.grown < 50 * MEGABYTE


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Waits, also long: what is waited for has a time of its own."""
    await eventually(look, timeout_seconds=60)


@pytest.mark.slow
async def test_connections_that_send_nothing_are_closed_in_the_end(gateway: GatewayProcess) -> None:
    others = Others(gateway)
    before = others.open_files
    socks = [await connect(gateway.address) for _ in range(100)]
    await eventually(lambda: others.open_files >= before + 100)

    async def closed() -> bool:
        return others.open_files <= before + 1

    await until(closed)
    for sock in socks:
        sock.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted as Linux does")
async def test_a_rapid_reset_that_goes_on_and_on(gateway: GatewayProcess) -> None:
    others = Others(gateway)
    async with others.calling():
        await asyncio.gather(
            *(flood(gateway.address, b"", opened_and_reset, rounds=300) for _ in range(4))
        )
    assert others.grown < 300 * MEGABYTE
