"""A log that cannot be written decides over nothing: calls are answered, and what is lost is counted."""

import asyncio
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchgate.v1 import file_service_pb2 as pb
from tests.admin.scrape import Scrape
from tests.process.conftest import GatewayProcess, Start
from tests.waiting import eventually

JSON = ("--log-format", "json")
METRIC = "batchgate_log_lines_dropped_total"
PAGE = 4096
# Every call logs a line of at least so many bytes.
LINE = 150


@dataclass
class Pipe:
    """A pipe for standard error, as small as they are."""

    reader: int
    writer: int

    @classmethod
    def open(cls) -> "Pipe":
        pipe = cls(*os.pipe())
        fcntl.fcntl(pipe.writer, fcntl.F_SETPIPE_SZ, PAGE)
        os.set_blocking(pipe.reader, False)
        return pipe

    def read(self) -> str:
        """All that is there."""
        content = b""
        with suppress(BlockingIOError):
            while piece := os.read(self.reader, PAGE):
                content += piece
        return content.decode()

    def abandon(self) -> None:
        """Nobody reads it any more."""
        os.close(self.reader)
        self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe.open()
    yield pipe
    for fd in (pipe.reader, pipe.writer):
        if fd >= 0:
            os.close(fd)


async def health(gateway: GatewayProcess) -> str:
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


async def answered(gateway: GatewayProcess, count: int) -> None:
    """Make so many calls, each of which is answered."""
    for _ in range(count):
        await gateway.files.ListFiles(pb.ListFilesRequest(), timeout=20)
    assert await health(gateway) == "SERVING"


async def dropped(admin: Path) -> int:
    """What the metric counts."""
    transport = httpx.AsyncHTTPTransport(uds=str(admin))
    async with httpx.AsyncClient(transport=transport) as client:
        return int(Scrape((await client.get("http://localhost/metrics")).text).value(METRIC))


def lines(text: str) -> list[dict[str, Any]]:
    """The log."""
    return [json.loads(line) for line in text.splitlines()]


async def ends(gateway: GatewayProcess) -> int:
    """The exit code after SIGTERM."""
    gateway.signal(signal.SIGTERM)
    code, _ = await asyncio.wait_for(gateway.end(), 30)
    return code


COUNTS = [20, pytest.param(1000, marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
async def test_its_reader_has_gone(start: Start, tmp_path: Path, pipe: Pipe, count: int) -> None:
    admin = tmp_path / "admin.sock"
    gateway = await start(*JSON, "--admin", f"unix:{admin}", stderr=pipe.writer)
    pipe.abandon()
    await answered(gateway, count)
    await eventually(lambda: _at_least(admin, count))
    assert await ends(gateway) == 0


@pytest.mark.parametrize("count", COUNTS)
async def test_its_disk_is_full(start: Start, tmp_path: Path, count: int) -> None:
    admin = tmp_path / "admin.sock"
    full = os.open("/dev/full", os.O_WRONLY)
    gateway = await start(*JSON, "--admin", f"unix:{admin}", stderr=full)
    os.close(full)
    await answered(gateway, count)
    await eventually(lambda: _at_least(admin, count))
    assert await ends(gateway) == 0


async def _at_least(admin: Path, count: int) -> bool:
    return await dropped(admin) >= count


@pytest.mark.parametrize("count", [3 * PAGE // LINE, COUNTS[1]])
async def test_nobody_reads_it(start: Start, pipe: Pipe, count: int) -> None:
    """Calls, the drain and the end are as ever; what fits in the pipe is whole and in order."""
    gateway = await start(*JSON, stderr=pipe.writer)
    await answered(gateway, count)
    assert await ends(gateway) == 0
    events = [one["event"] for one in lines(pipe.read())]
    assert events == ["serving", *["rpc"] * (len(events) - 1)]
    assert 1 < len(events) <= count


async def test_nobody_reads_that_of_workers(start: Start, pipe: Pipe) -> None:
    gateway = await start("--workers", "2", *JSON, listen="127.0.0.1:0", stderr=pipe.writer)
    await answered(gateway, 3 * PAGE // LINE)
    assert await ends(gateway) == 0
    assert lines(pipe.read())


async def test_it_is_read_late(start: Start, pipe: Pipe) -> None:
    """What waits is there as soon as there is room, and nothing is missing."""
    count = 3 * PAGE // LINE
    gateway = await start(*JSON, stderr=pipe.writer)
    await answered(gateway, count)
    text = ""

    def whole() -> bool:
        nonlocal text
        text += pipe.read()
        return text.count("\n") == count + 1

    await eventually(whole)
    assert [one["event"] for one in lines(text)] == ["serving", *["rpc"] * count]


async def test_what_is_missing_is_told_when_it_is_read_again(start: Start, tmp_path: Path) -> None:
    path, admin = tmp_path / "stderr", tmp_path / "admin.sock"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    gateway = await start(*JSON, "--admin", f"unix:{admin}", stderr=writer)
    os.close(writer)
    os.close(reader)
    await answered(gateway, 5)
    await eventually(lambda: _at_least(admin, 5))
    again = Pipe(os.open(path, os.O_RDONLY | os.O_NONBLOCK), -1)
    # Nothing further has to happen for that.
    text = await eventually(again.read)
    (told,) = lines(text)
    assert (told["event"], told["level"]) == ("log lines could not be written", "warning")
    assert told["lines"] == await dropped(admin) >= 5
    await answered(gateway, 1)
    (rpc,) = lines(await eventually(again.read))
    assert rpc["event"] == "rpc"
    assert await ends(gateway) == 0
    again.abandon()
