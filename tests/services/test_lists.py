"""Paging through files and batches: the same everywhere, whatever a provider makes of it."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from batchgate.v1 import batch_service_pb2, file_service_pb2
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles
from tests.services.calls import call, failed
from tests.services.lines import ENDPOINT

ASC, DESC = file_service_pb2.SORT_ORDER_ASC, file_service_pb2.SORT_ORDER_DESC
LISTS = ("ListFiles", "ListBatches")


async def pages(gateway: Gateway, name: str, *, most: int = 50, **fields: Any) -> list[list[str]]:
    """The ids of all pages; an endless list fails."""
    found, token = [], ""
    for _ in range(most):
        page = await call(gateway, name, page_token=token, **fields)
        items = page.files if name == "ListFiles" else page.batches
        found.append([item.id for item in items])
        token = page.next_page_token
        if not token:
            return found
    raise AssertionError("the list does not end")


async def some_files(gateway: Gateway, provider: str, count: int, **metadata: Any) -> list[str]:
    """New files, oldest first."""
    return [
        (await gateway.upload(b"{}\n", provider=provider, **metadata)).file.id for _ in range(count)
    ]


async def some_batches(gateway: Gateway, provider: str, count: int) -> list[str]:
    """New batches, oldest first."""
    (file_id,) = await some_files(gateway, provider, 1)
    request = batch_service_pb2.CreateBatchRequest(
        provider=provider, input_file_id=file_id, endpoint=ENDPOINT
    )
    return [(await gateway.batches.CreateBatch(request)).batch.id for _ in range(count)]


def in_order(provider: str, ids: list[str], found: list[str]) -> bool:
    """Whether `found` is `ids`; within a second the old edition's order is another, but stable."""
    return sorted(ids) == sorted(found) if provider == "azure-dated" else ids == found


@pytest.mark.parametrize("provider", PROFILES)
async def test_pages_of_files(gateway: Gateway, provider: str) -> None:
    ids = await some_files(gateway, provider, 5)
    for size, sizes in ((0, [5]), (1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (1000, [5]), (9999, [5])):
        for order in (DESC, ASC, 0):
            found = await pages(
                gateway, "ListFiles", provider=provider, page_size=size, order=order
            )
            if provider == "azure-preview" and 5 % (size or 100) == 0:
                # It does not say whether more follows, so a full page may be the last one.
                assert found.pop() == []
            assert [len(page) for page in found] == sizes
            flat = [each for page in found for each in page]
            assert in_order(provider, ids if order == ASC else ids[::-1], flat)


@pytest.mark.parametrize("provider", PROFILES)
async def test_pages_of_batches(gateway: Gateway, provider: str) -> None:
    ids = await some_batches(gateway, provider, 5)
    for size, sizes in ((0, [5]), (1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (100, [5]), (9999, [5])):
        found = await pages(gateway, "ListBatches", provider=provider, page_size=size)
        assert [len(page) for page in found] == sizes
        assert [each for page in found for each in page] == ids[::-1]


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("name", LISTS)
async def test_an_empty_list(gateway: Gateway, provider: str, name: str) -> None:
    assert await pages(gateway, name, provider=provider) == [[]]


@pytest.mark.parametrize("provider", PROFILES)
async def test_files_of_a_purpose(gateway: Gateway, provider: str) -> None:
    batch = await some_files(gateway, provider, 2)
    other = await some_files(gateway, provider, 3, purpose="fine-tune")
    for purpose, ids in (("batch", batch), ("fine-tune", other), ("unheard-of", [])):
        found = await pages(gateway, "ListFiles", provider=provider, purpose=purpose, page_size=2)
        assert sorted(each for page in found for each in page) == sorted(ids)


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("name", LISTS)
async def test_limit_and_after_reach_the_provider(
    account: Account, gateway: Gateway, provider: str, name: str
) -> None:
    """`after` and `limit` reach Azure OpenAI too, and sizes stay within what it takes."""
    make = some_files if name == "ListFiles" else some_batches
    ids = await make(gateway, provider, 2)
    page = await call(gateway, name, provider=provider, page_size=1)
    await call(gateway, name, provider=provider, page_size=1, page_token=page.next_page_token)
    await call(gateway, name, provider=provider)
    await call(gateway, name, provider=provider, page_size=2**31 - 1)
    queries = [dict(httpx.QueryParams(each["query"])) for each in (await account.requests())[-4:]]
    for query in queries:
        query.pop("api-version", None)
    if (provider, name) == ("azure-dated", "ListFiles"):
        assert queries == [{}] * 4
        return
    usual, most = ("100", "1000") if name == "ListFiles" else ("20", "100")
    assert [query.get("limit") for query in queries] == ["1", "1", usual, most]
    assert [query.get("after") for query in queries] == [None, ids[-1], None, None]
    orders = {query.get("order") for query in queries}
    assert orders == ({"desc"} if name == "ListFiles" else {None})


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [-1, -(2**31)])
async def test_a_negative_size(account: Account, gateway: Gateway, name: str, size: int) -> None:
    failure = await failed(gateway, name, page_size=size)
    assert failure.reason == "INVALID_FIELD"
    assert list(failure.fields) == ["page_size"]
    assert await account.requests() == []


async def test_an_order_that_is_none(gateway: Gateway) -> None:
    failure = await failed(gateway, "ListFiles", order=9)
    assert list(failure.fields) == ["order"]


# Tokens


def packed(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_token_belongs_to_its_list(gateway: Gateway, provider: str) -> None:
    """A token of other filters, another order, another provider or another list is refused."""
    await some_batches(gateway, provider, 2)
    await some_files(gateway, provider, 2)
    files = await call(gateway, "ListFiles", provider=provider, page_size=1)
    batches = await call(gateway, "ListBatches", provider=provider, page_size=1)
    assert files.next_page_token
    assert batches.next_page_token
    other = "azure" if provider == "openai" else "openai"
    for name, wrong in (
        ("ListFiles", {"page_token": batches.next_page_token}),
        ("ListFiles", {"page_token": files.next_page_token, "purpose": "batch"}),
        ("ListFiles", {"page_token": files.next_page_token, "order": ASC}),
        ("ListFiles", {"page_token": files.next_page_token, "provider": other}),
        ("ListBatches", {"page_token": batches.next_page_token, "provider": other}),
        ("ListBatches", {"page_token": files.next_page_token}),
    ):
        failure = await failed(gateway, name, **{"provider": provider, **wrong})
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert list(failure.fields) == ["page_token"]
    # The size is no filter, and "newest first" has two names.
    token = {"provider": provider, "page_token": files.next_page_token}
    one = await call(gateway, "ListFiles", page_size=1, **token)
    two = await call(gateway, "ListFiles", page_size=7, order=DESC, **token)
    assert two.files[0].id == one.files[0].id


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        "größe",
        "====",
        "\n",
        "file-abc123",
        "A" * 100_000,
        packed(None),
        packed([]),
        packed({"a": 1, "b": 2, "c": 3, "d": 4}),
        packed([1, "mark", "file-1"]),
        packed([2, "mark", "file-1", 0]),
        packed([1, "mark", "file-1", 0]),
        packed([1, ["mark"], "file-1", 0]),
        packed([1, "mark", 7, 0]),
        packed([1, "mark", "file-1", "0"]),
        packed([[[[1]]], 2, 3, 4]),
    ],
)
async def test_a_token_that_is_none(
    account: Account, gateway: Gateway, name: str, token: str
) -> None:
    failure = await failed(gateway, name, page_token=token)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert list(failure.fields) == ["page_token"]
    assert await account.requests() == []


@pytest.mark.parametrize("provider", ["azure", "azure-dated", "azure-preview"])
async def test_the_cursors_file_is_deleted_meanwhile(gateway: Gateway, provider: str) -> None:
    """Paging ends, and where the gateway cuts the pages itself it also goes on rightly."""
    ids = set(await some_files(gateway, provider, 6))
    first = await call(gateway, "ListFiles", provider=provider, page_size=2)
    seen = [file.id for file in first.files]
    await call(gateway, "DeleteFile", provider=provider, file_id=seen[-1])
    token, found = first.next_page_token, []
    for _ in range(20):
        page = await call(gateway, "ListFiles", provider=provider, page_size=2, page_token=token)
        found += [file.id for file in page.files]
        token = page.next_page_token
        if not token:
            break
    assert not token
    if provider == "azure-dated":
        assert sorted(found) == sorted(ids - set(seen))


async def test_the_cursors_file_is_deleted_meanwhile_on_openai(gateway: Gateway) -> None:
    """OpenAI does not know the cursor then, and says so."""
    await some_files(gateway, "openai", 3)
    first = await call(gateway, "ListFiles", page_size=1)
    await call(gateway, "DeleteFile", file_id=first.files[0].id)
    failure = await failed(gateway, "ListFiles", page_size=1, page_token=first.next_page_token)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")


# Servers that only nearly speak the protocol

Answer = Callable[[dict[str, str]], object]


@pytest.fixture
async def listing(account: Account, open_gateway: OpenGateway) -> Callable[[Answer], Any]:
    """A gateway to a server that answers every GET with what a function makes of the query."""

    async def open_one(answer: Answer, provider: str = "openai") -> tuple[Gateway, list[str]]:
        queries: list[str] = []

        async def handle(request: httpx.Request) -> httpx.Response:
            queries.append(request.url.query.decode())
            return httpx.Response(200, json=answer(dict(request.url.params)))

        gateway = await open_gateway(
            {"providers": {provider: profiles(account)[provider]}},
            transport=lambda _: httpx.MockTransport(handle),
        )
        return gateway, queries

    return open_one


def things(*ids: object) -> list[dict[str, object]]:
    return [{"id": each, "created_at": 100 + number} for number, each in enumerate(ids)]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "answer",
    [
        {"object": "list", "data": [], "has_more": True},
        {"object": "list", "data": [], "has_more": True, "last_id": "file-9"},
        {"object": "list", "data": None, "has_more": True},
        {"object": "list", "data": None},
        {"object": "list", "has_more": True},
        {"data": []},
        {},
        [],
        {"data": [{}, None, 7, "file-1", [], {"id": None}, {"id": ""}], "has_more": True},
        {"data": [{"object": "file"}], "has_more": True},
        {"data": [{"id": {}}, {"id": []}, {"id": {"a": 1}}, {"id": [1]}], "has_more": True},
    ],
)
async def test_more_of_nothing_is_the_end(listing: Any, name: str, answer: object) -> None:
    """`has_more: true` with an empty page, null data, and items without an id: no endless loop."""
    gateway, _ = await listing(lambda query: answer)
    assert await pages(gateway, name) == [[]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("extra", [{"has_more": True}, {"has_more": None}, {"has_more": "yes"}, {}])
@pytest.mark.parametrize("size", [1, 2, 3, 20])
async def test_a_server_that_ignores_after_and_limit(
    listing: Any, name: str, extra: dict[str, Any], size: int
) -> None:
    """An `after` that is ignored: every item once, and an end."""
    gateway, _ = await listing(lambda query: {"data": things("a", "b", "c", "d", "e"), **extra})
    found = await pages(gateway, name, page_size=size)
    assert [each for page in found for each in page] == ["a", "b", "c", "d", "e"]
    assert all(len(page) <= size for page in found)


@pytest.mark.parametrize("name", LISTS)
async def test_a_server_that_ignores_after_alone(listing: Any, name: str) -> None:
    """The first page again and again: nothing twice, and an end."""
    data = things("a", "b", "c", "d", "e")
    gateway, _ = await listing(
        lambda query: {"data": data[: int(query["limit"])], "has_more": True}
    )
    assert await pages(gateway, name, page_size=2) == [["a", "b"], []]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("size", [1, 2, 5, 6])
async def test_a_server_without_has_more(listing: Any, name: str, size: int) -> None:
    """Without `has_more` a full page may have a successor."""
    ids = ["a", "b", "c", "d", "e"]

    def answer(query: dict[str, str]) -> object:
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        return {"data": things(*ids[start : start + int(query["limit"])])}

    gateway, _ = await listing(answer)
    found = await pages(gateway, name, page_size=size)
    assert [each for page in found for each in page] == ids


@pytest.mark.parametrize("name", LISTS)
async def test_items_without_an_id_are_left_out(listing: Any, name: str) -> None:
    answer = {"data": [{"id": "a"}, {"status": "x"}, {"id": [1]}, {"id": 7}, {"id": "b"}]}
    gateway, _ = await listing(lambda query: answer)
    assert await pages(gateway, name) == [["a", "7", "b"]]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "ids",
    [
        ["0190c7e2-2b1c", "0190c7e2-2b1d"],
        ["projects/p/locations/l/batchPredictionJobs/1", "projects/p/2"],
        ["_a", "-b"],
        ["with space", "größe&limit=9"],
        ["x" * 600, "y" * 600],
    ],
    ids=["uuid", "path", "marks", "text", "long"],
)
async def test_ids_of_any_form_can_be_paged_over(listing: Any, name: str, ids: list[str]) -> None:
    """Ids without a prefix, or of a form that no call takes: a page token must still work."""

    def answer(query: dict[str, str]) -> object:
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        return {"data": things(*ids[start:][:1]), "has_more": start == 0}

    gateway, _ = await listing(answer)
    assert await pages(gateway, name, page_size=1) == [[ids[0]], [ids[1]]]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
@pytest.mark.parametrize("order", [ASC, DESC])
async def test_pages_that_the_gateway_cuts(listing: Any, size: int, order: int) -> None:
    """The old edition's list comes in any order, with times missing, doubled or as text."""
    data = [
        {"id": "c", "created_at": 300},
        {"id": "a", "created_at": 100},
        {"id": "none"},
        {"id": "b2", "created_at": 200},
        {"id": "b1", "created_at": 200},
        {"id": "d", "created_at": "1970-01-01T00:06:40.5+00:00"},
    ]
    gateway, queries = await listing(lambda query: {"data": data}, "azure-dated")
    found = await pages(gateway, "ListFiles", page_size=size, order=order)
    expected = ["none", "a", "b1", "b2", "c", "d"]
    assert [each for page in found for each in page] == expected[:: 1 if order == ASC else -1]
    assert all(len(page) == size for page in found[:-1])
    assert set(queries) == {"api-version=2024-10-21"}


async def test_a_file_that_comes_meanwhile_moves_no_page(listing: Any) -> None:
    data = things("a", "b", "c")
    gateway, _ = await listing(lambda query: {"data": data}, "azure-dated")
    first = await call(gateway, "ListFiles", page_size=1)
    assert [file.id for file in first.files] == ["c"]
    data.append({"id": "new", "created_at": 999})
    second = await call(gateway, "ListFiles", page_size=5, page_token=first.next_page_token)
    assert [file.id for file in second.files] == ["b", "a"]
