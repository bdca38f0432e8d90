"""The gateway is killed in the middle of each stream and started again: what the Python client does."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client.errors import GatewayUnreachable
from tests.chaos.ports import fixed_port
from tests.clients.python.conftest import Open
from tests.conftest import Account, tls
from tests.process.conftest import GatewayProcess, Start

pytestmark = pytest.mark.slow

ENDPOINT = "/v1/chat/completions"
ROWS = 20_000


class Lives:
    """A gateway at one address that can die and come back."""

    def __init__(self, start: Start, **variables: str) -> None:
        self._start = start
        self._variables = variables
        self.address = f"127.0.0.1:{fixed_port()}"
        self._process: GatewayProcess | None = None

    async def begin(self) -> None:
        self._process = await self._start(
            listen=self.address,
            BATCHGATE_WATCH__FIRST_POLL_SECONDS="0.05",
            BATCHGATE_WATCH__SLOWEST_POLL_SECONDS="0.05",
            **self._variables,
        )

    async def begin_again(self) -> None:
        await self.kill()
        await self.begin()

    async def kill(self) -> None:
        assert self._process
        self._process.process.kill()
        await self._process.end()


@pytest.fixture
async def lives(start: Start) -> Lives:
    gateway = Lives(start)
    await gateway.begin()
    return gateway


async def submitted(client: Any, count: int, **metadata: str) -> str:
    rows = ({"custom_id": f"row-{n}", "body": {"messages": []}} for n in range(count))
    submission = client.submit_batch(rows, endpoint=ENDPOINT, model="m", metadata=metadata)
    return str((await submission).batch.id)


async def content_requests(account: Account) -> int:
    return sum(one["path"].endswith("/content") for one in await account.requests())


async def test_a_watch_goes_on(lives: Lives, open_client: Open) -> None:
    client = open_client(lives.address)
    batch_id = await submitted(client, 4, sandbox_outcome="stalled")
    events = []
    async for news in client.watch_batch(batch_id):
        events.append((news.event, news.batch.status))
        if len(events) == 1:
            await lives.begin_again()
            await client.cancel_batch(batch_id)
    assert [event for event, _ in events].count(pb.WATCH_EVENT_SNAPSHOT) == 1
    assert events[-1][1] == batch_pb2.BATCH_STATUS_CANCELLED


WATCHES = 40


async def test_forty_watches_go_on_although_ten_calls_a_second_may_begin(
    start: Start, open_client: Open, account: Account
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WATCHES + 4))
    lives = Lives(start, BATCHGATE_LIMITS__CALLS_PER_SECOND="10")
    await lives.begin()
    client = open_client(lives.address)
    batch_id = await submitted(client, 4, sandbox_outcome="stalled")
    watching: set[int] = set()
    everyone = asyncio.Event()

    async def watch(number: int) -> Any:
        last: Any = None
        async for news in client.watch_batch(batch_id):
            watching.add(number)
            if len(watching) == WATCHES:
                everyone.set()
            last = news.batch.status
        return last

    watches = [asyncio.create_task(watch(number)) for number in range(WATCHES)]
    await asyncio.wait_for(everyone.wait(), 60)
    await lives.begin_again()
    # At the provider itself, since here calls are scarce.
    headers = {"authorization": f"Bearer {account.key}"}
    async with httpx.AsyncClient(verify=tls(), headers=headers) as provider:
        await provider.post(f"{account.url}/v1/batches/{batch_id}/cancel")
    ends = await asyncio.wait_for(asyncio.gather(*watches), 120)
    assert ends == [batch_pb2.BATCH_STATUS_CANCELLED] * WATCHES


async def test_results_have_each_row_once(
    lives: Lives, open_client: Open, account: Account
) -> None:
    client = open_client(lives.address)
    batch_id = await submitted(client, ROWS)
    assert (await client.wait_batch(batch_id, seconds=30)).done
    ids = []
    async for row in client.results(batch_id):
        ids.append(row.custom_id)
        if len(ids) == 1:
            await lives.begin_again()
    assert sorted(ids) == sorted(f"row-{n}" for n in range(ROWS))
    # It was not all there already.
    assert await content_requests(account) > 1


async def test_a_download_has_each_byte_once(
    lives: Lives, open_client: Open, account: Account
) -> None:
    client = open_client(lives.address)
    content = b"".join(n.to_bytes(8, "big") for n in range(4_000_000))
    file = (await client.upload_file(content, jsonl_check=2)).file
    came = b""
    async for piece in client.download_file(file.id):
        if not came:
            await lives.begin_again()
        came += piece
    assert came == content
    assert await content_requests(account) > 1


async def test_an_upload_fails_and_leaves_nothing(
    lives: Lives, open_client: Open, account: Account
) -> None:
    """It is not repeated: the source may be gone, and a file may have come to be."""
    client = open_client(lives.address)
    await account.fault(kind="slow_read", bytes_per_second=1_000_000, method="POST")
    killed: list[asyncio.Future[None]] = []

    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield bytes(256 * 1024)

    loop = asyncio.get_running_loop()

    def kill() -> None:
        killed.append(asyncio.ensure_future(lives.kill()))

    def progress(sent: int, _: int | None) -> None:
        if sent == 256 * 1024:
            loop.call_soon_threadsafe(kill)

    with pytest.raises(GatewayUnreachable):
        await client.upload_file(pieces(), purpose="user_data", progress=progress)
    await killed[0]
    assert await account.file_ids() == []
