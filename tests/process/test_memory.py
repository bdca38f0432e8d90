"""Memory of the process while files pass through it: flat, whatever their size."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from batchgate.v1 import file_service_pb2 as pb
from tests.conftest import CHUNK, Account
from tests.process.conftest import GatewayProcess, Start

pytestmark = pytest.mark.slow
LARGE = 200_000_000
MEGABYTE = 1_000_000


class Memory:
    """Resident bytes over those at the beginning, at most."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self._process = psutil.Process(gateway.process.pid)
        self._base = self._process.memory_info().rss
        self.most = 0

    async def watch(self) -> None:
        while True:
            self.most = max(self.most, self._process.memory_info().rss - self._base)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def watched(gateway: GatewayProcess) -> AsyncIterator[Memory]:
    memory = Memory(gateway)
    watching = asyncio.create_task(memory.watch())
    yield memory
    watching.cancel()
    print(f"at most {memory.most / MEGABYTE:.0f} MB more")  # noqa: T201 - for -s


async def warm(gateway: GatewayProcess) -> None:
    """One call of the kind, so that modules and connections are there."""
    await upload(gateway, MEGABYTE)


async def upload(
    gateway: GatewayProcess, size: int, *, sent: list[int] | None = None, **metadata: Any
) -> pb.UploadFileResponse:
    async def messages() -> AsyncIterator[pb.UploadFileRequest]:
        fields = {"filename": "a.jsonl", "purpose": "vision", **metadata}
        yield pb.UploadFileRequest(metadata=pb.UploadFileMetadata(**fields))
        whole = pb.UploadFileRequest(chunk=bytes(CHUNK))
        for start in range(0, size, CHUNK):
            left = size - start
            yield whole if left >= CHUNK else pb.UploadFileRequest(chunk=bytes(left))
            if sent is not None:
                sent.append(min(left, CHUNK))

    answer: pb.UploadFileResponse = await gateway.files.UploadFile(messages())
    return answer


@pytest.mark.parametrize("known", [True, False])
async def test_a_file_of_200_mb_streams_through(
    start: Start, account: Account, known: bool
) -> None:
    gateway = await start()
    await warm(gateway)
    announced: dict[str, Any] = {"size_bytes": LARGE} if known else {}
    async with watched(gateway) as memory:
        answer = await upload(gateway, LARGE, **announced)
    assert answer.file.size_bytes == LARGE
    assert memory.most < 50 * MEGABYTE


async def test_four_files_at_once_stream_through(start: Start, account: Account) -> None:
    gateway = await start()
    await warm(gateway)
    async with watched(gateway) as memory:
        await asyncio.gather(*(upload(gateway, LARGE // 2) for _ in range(4)))
    assert memory.most < 100 * MEGABYTE


async def test_a_slow_provider_slows_the_caller_down(start: Start, account: Account) -> None:
    gateway = await start()
    await warm(gateway)
    await account.fault(kind="slow_read", bytes_per_second=2 * MEGABYTE)
    sent: list[int] = []
    async with watched(gateway) as memory:
        uploading = asyncio.create_task(upload(gateway, LARGE, sent=sent))
        await asyncio.sleep(4)
        assert sum(sent) < 40 * MEGABYTE
        uploading.cancel()
    assert memory.most < 50 * MEGABYTE


async def test_downloads_stream_through_and_wait_for_slow_readers(
    start: Start, account: Account
) -> None:
    gateway = await start()
    file_id = (await upload(gateway, LARGE)).file.id
    request = pb.DownloadFileRequest(file_id=file_id)

    async def read_all() -> int:
        return sum([len(piece.chunk) async for piece in gateway.files.DownloadFile(request)])

    async with watched(gateway) as memory:
        slow = [gateway.files.DownloadFile(request) for _ in range(4)]
        for call in slow:
            await call.read()
        assert [*await asyncio.gather(read_all(), read_all())] == [LARGE, LARGE]
        for call in slow:
            call.cancel()
    assert memory.most < 100 * MEGABYTE
