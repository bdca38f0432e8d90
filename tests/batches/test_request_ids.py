"""The look for a batch by its request_id, and creations that are shared."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches import request_ids
from batchgate_server.batches.asked import asked, other_batch
from batchgate_server.batches.request_ids import RequestIds, find, settled
from batchgate_server.errors import OutcomeUnknown, ProviderNotFound
from batchgate_server.operations import REQUEST_ID_KEY, NewBatch
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.settings import OpenAIProfile

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]
NEW = NewBatch(
    input_file_id="file-1",
    endpoint="/v1/embeddings",
    completion_window="24h",
    key="wanted",
)


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._answer(request)


def provider(answer: Answer) -> OpenAIProvider:
    profile = OpenAIProfile(name="openai", base_url="http://fake/v1", api_key=SecretStr("sk"))
    return OpenAIProvider(profile, transport=Transport(answer))


class Store:
    """Batches by age, newest first, listed page by page."""

    def __init__(self, count: int, *, wanted: int | None = None) -> None:
        self.batches: list[dict[str, Any]] = [{"id": f"batch_{n}"} for n in range(count)]
        if wanted is not None:
            self.batches[wanted]["metadata"] = {REQUEST_ID_KEY: "wanted"}
        self.pages = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.pages += 1
        after, size = request.url.params.get("after"), int(request.url.params["limit"])
        begin = 1 + next((n for n, b in enumerate(self.batches) if b["id"] == after), -1)
        page = self.batches[begin : begin + size]
        more = len(self.batches) > begin + size
        return httpx.Response(200, json={"data": page, "has_more": more})


@pytest.mark.parametrize(
    ("count", "wanted", "found", "pages"),
    [
        (0, None, False, 1),
        (50, 0, True, 1),
        (250, 249, True, 3),
        (250, None, False, 3),
        (2000, 999, True, 10),
        (2000, 1000, False, 10),
    ],
)
async def test_the_newest_thousand_are_looked_through(
    count: int, wanted: int | None, found: bool, pages: int
) -> None:
    store = Store(count, wanted=wanted)
    there = await find(provider(store.answer), "wanted", among=1000)
    assert (there.batch.id if there else None) == (f"batch_{wanted}" if found else None)
    assert store.pages == pages


class Held:
    """A provider without batches whose creation is answered when it is let."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.created = self.listed = 0

    async def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.listed += 1
            return httpx.Response(200, json={"data": []})
        self.created += 1
        self.reached.set()
        await self.go.wait()
        return httpx.Response(self.status, json={"id": f"batch_{self.created}"})


async def begin(ids: RequestIds, to: OpenAIProvider) -> asyncio.Task[tuple[RestBatch, object]]:
    async def create() -> request_ids.Created:
        return await settled(to, NEW), None

    request = pb.CreateBatchRequest(request_id="wanted")
    wanted = asked(request, caller="", differs=lambda _: False)
    task = asyncio.create_task(ids.once(to, wanted, create))
    await asyncio.sleep(0)
    return task


async def test_a_cancelled_leader_leaves_its_creation_to_those_who_wait() -> None:
    held, ids = Held(), RequestIds()
    to = provider(held.answer)
    leader = await begin(ids, to)
    await held.reached.wait()
    followers = [await begin(ids, to) for _ in range(3)]
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    late = await begin(ids, to)
    held.go.set()
    batches = [(await task)[0].id for task in [*followers, late]]
    assert batches == ["batch_1"] * 4
    assert held.created == 1
    await to.aclose()
    assert not ids._flights


async def test_a_cancelled_leaders_failure_reaches_those_who_wait() -> None:
    held, ids = Held(status=404), RequestIds()
    to = provider(held.answer)
    leader = await begin(ids, to)
    await held.reached.wait()
    follower = await begin(ids, to)
    leader.cancel()
    held.go.set()
    with pytest.raises(ProviderNotFound):
        await follower
    assert held.created == 1


async def test_a_cancelled_leaders_unknown_outcome_says_that_repeating_is_safe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_ids, "LOOK_AGAIN", (0.0,))
    held, ids = Held(status=500), RequestIds()
    to = provider(held.answer)
    leader = await begin(ids, to)
    await held.reached.wait()
    followers = [await begin(ids, to) for _ in range(2)]
    leader.cancel()
    held.go.set()
    for follower in followers:
        with pytest.raises(OutcomeUnknown) as raised:
            await follower
        assert raised.value.message.count(request_ids.REPEAT) == 1
    assert held.created == 1


async def test_a_cancelled_follower_harms_nobody() -> None:
    held, ids = Held(), RequestIds()
    to = provider(held.answer)
    leader = await begin(ids, to)
    await held.reached.wait()
    follower = await begin(ids, to)
    follower.cancel()
    held.go.set()
    assert (await leader)[0].id == "batch_1"


async def test_a_leader_cancelled_before_it_creates_leaves_the_turn() -> None:
    looking, go = asyncio.Event(), asyncio.Event()
    created = 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal created
        if request.method == "GET":
            looking.set()
            await go.wait()
            return httpx.Response(200, json={"data": []})
        created += 1
        return httpx.Response(200, json={"id": "batch_1"})

    ids, to = RequestIds(), provider(answer)
    leader = await begin(ids, to)
    await looking.wait()
    follower = await begin(ids, to)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    go.set()
    assert (await follower)[0].id == "batch_1"
    assert created == 1


async def test_an_unknown_outcome_is_looked_up_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_ids, "LOOK_AGAIN", (0.0,) * 4)
    held, ids = Held(status=500), RequestIds()
    held.go.set()
    to = provider(held.answer)
    with pytest.raises(OutcomeUnknown, match="with the same request_id"):
        await (await begin(ids, to))
    assert (held.created, held.listed) == (1, 5)


def batch(**members: str) -> RestBatch:
    return RestBatch.model_validate({"id": "batch_1", **members})


@pytest.mark.parametrize(
    "there",
    [
        {"endpoint": "/v1/responses", "input_file_id": "file-1"},
        {"endpoint": "/responses", "input_file_id": ""},
        {},
    ],
)
def test_a_batch_that_is_the_same_as_far_as_one_can_see(there: dict[str, str]) -> None:
    differs = other_batch(endpoint="/v1/responses", input_file_id="file-1")
    assert not differs(batch(**there))


def test_a_batch_that_is_another() -> None:
    differs = other_batch(endpoint="/v1/responses", input_file_id="file-1")
    for there in ({"endpoint": "/v1/embeddings"}, {"input_file_id": "file-2"}):
        assert differs(batch(**there))
