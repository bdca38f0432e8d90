"""Answers far longer than what was asked for: refused, or read without holding the event loop."""

import pytest

from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.services.calls import call, failed
from tests.services.test_holds import LONGEST, MIB
from tests.watchdog import watched


def listed(item: str, size: int, *, first: str = "") -> str:
    """A list of about so many bytes."""
    items = f"{item}," * (size // (len(item) + 1) - 10)
    return f'{{"data":[{first}{items}{item}],"has_more":false}}'


@pytest.mark.parametrize(
    ("name", "size", "asked", "most"),
    [
        ("ListBatches", 16 * MIB - 100, {"page_size": 1}, 4 * MIB + 65536),
        ("ListFiles", 11 * MIB, {"page_size": 100}, 4 * MIB + 100 * 65536),
        ("ListFiles", 17 * MIB, {"page_size": 1000}, 16 * MIB),
        ("GetBatch", 2 * MIB, {}, MIB),
        ("GetFile", 2 * MIB, {}, MIB),
    ],
)
async def test_more_than_fits_what_was_asked_for(
    account: Account,
    gateway: Gateway,
    *,
    name: str,
    size: int,
    asked: dict[str, int],
    most: int,
) -> None:
    body = listed('{"id":"b1"}', size)
    if not name.startswith("List"):
        body = f'{{"id":"b1","padding":"{"x" * size}"}}'
    await account.fault(kind="answer", status=200, body=body)
    with watched() as held:
        failure = await failed(gateway, name, **asked)
    assert held.worst < LONGEST, held
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    what = f"a list of {asked['page_size']}" if asked else "one object"
    assert f"more than {most} bytes, where {what} was asked for" in failure.message


@pytest.mark.parametrize("name", ["ListFiles", "ListBatches"])
async def test_many_small_items_of_which_one_is_wanted(
    account: Account, gateway: Gateway, name: str
) -> None:
    """Also by a server that ignores `limit` and `after`: the second page follows the first."""
    body = listed('{"id":"b1"}', 4 * MIB, first='null,7,{},{"id":null},{"id":"a"},')
    await account.fault(kind="answer", status=200, body=body, times=2)
    with watched() as held:
        page = await call(gateway, name, page_size=1)
        following = await call(gateway, name, page_size=1, page_token=page.next_page_token)
    assert held.worst < LONGEST, held
    ids = [
        [item.id for item in (each.files if name == "ListFiles" else each.batches)]
        for each in (page, following)
    ]
    assert ids == [["a"], ["b1"]]


async def test_a_cursor_that_is_not_in_a_long_list(account: Account, gateway: Gateway) -> None:
    await account.fault(kind="answer", status=200, body='{"data":[{"id":"gone"}],"has_more":true}')
    await account.fault(kind="answer", status=200, body=listed('{"id":"b1"}', 4 * MIB))
    page = await call(gateway, "ListBatches", page_size=1)
    with watched() as held:
        following = await call(gateway, "ListBatches", page_size=1, page_token=page.next_page_token)
    assert [batch.id for batch in following.batches] == ["b1"]
    assert held.worst < LONGEST, held


async def test_a_long_list_that_has_no_pages(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway({"providers": {"azure": profiles(account)["azure-dated"]}})
    body = listed('{"id":"b1","created_at":7}', 8 * MIB, first='{"id":"z","created_at":9},')
    await account.fault(kind="answer", status=200, body=body)
    with watched() as held:
        page = await call(gateway, "ListFiles", page_size=1)
    assert [file.id for file in page.files] == ["z"]
    assert held.worst < LONGEST, held


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (listed("1", 3 * MIB), "a list of more than 1000000 values"),
        (f'{{"data":[{{"id":"b1","x":"{"y" * MIB}"}}]}}', "an object of more than 1048576 bytes"),
        (listed('{"id":"b1","x":"\\ud83c"}', 2 * MIB), "not strictly and longer than 1048576"),
    ],
    ids=["values", "an object", "halves"],
)
async def test_a_list_of_what_is_not_read(
    account: Account, gateway: Gateway, body: str, said: str
) -> None:
    await account.fault(kind="answer", status=200, body=body)
    with watched() as held:
        failure = await failed(gateway, "ListBatches", page_size=1)
    assert failure.reason == "PROVIDER_BAD_RESPONSE"
    assert said in failure.message
    assert held.worst < LONGEST, held


async def test_a_batch_with_very_many_errors(account: Account, gateway: Gateway) -> None:
    """The first ones, and how many more there are."""
    body = f'{{"id":"b1","status":"failed","errors":[{"1," * 450_000}1]}}'
    await account.fault(kind="answer", status=200, body=body)
    with watched() as held:
        batch = (await call(gateway, "GetBatch")).batch
    assert len(batch.errors) == 1001
    assert batch.errors[-1].message == "and 449001 more errors, which are left out here"
    assert held.worst < LONGEST, held
