"""Too much to do: who makes it so is refused, and the others are served in turns with it."""

import asyncio
from typing import Any

import grpc
import pytest

from batchgate.v1 import provider_service_pb2
from batchgate_server.interceptors import admission
from batchgate_server.interceptors.admission import Admission
from tests.callers.conftest import OpenTeams
from tests.callers.door import as_caller, bearer
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.services.calls import call, failed
from tests.services.lines import create, finished
from tests.status import Failure, failure_of
from tests.waiting import eventually

MANY = 1000


@pytest.fixture
def any_wait_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast this machine is: the callers share the loop with the gateway."""
    monkeypatch.setattr(admission, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(admission, "FEW_WAITING", 0)


async def outcome(rpc: Any) -> Failure | None:
    try:
        await rpc
    except grpc.aio.AioRpcError as exc:
        return failure_of(exc)
    return None


async def flood(gateway: Gateway) -> set[str]:
    """The reasons of the calls that were not served."""
    request = provider_service_pb2.ListProvidersRequest()
    calls = [gateway.providers.ListProviders(request) for _ in range(MANY)]
    outcomes = await asyncio.gather(*map(outcome, calls))
    return {one.reason for one in outcomes if one}


@pytest.mark.usefixtures("any_wait_is_long")
@pytest.mark.parametrize("flooding", ["a", "nobody"])
async def test_a_flood_is_refused_to_who_makes_it(open_teams: OpenTeams, flooding: str) -> None:
    """Those with tokens that are wrong are as one caller."""
    teams = await open_teams({"server": {"overload_seconds": 1e-6}}, a={}, b={})
    async with as_caller(teams[""], bearer("nobody")) as nobody:
        floods = asyncio.ensure_future(flood(nobody if flooding == "nobody" else teams["a"]))
        served = 0
        while not floods.done():
            await call(teams["b"], "ListProviders")
            served += 1
    assert served
    known = {"CALLER_UNAUTHENTICATED"} if flooding == "nobody" else set()
    assert await floods == {"GATEWAY_OVERLOADED", *known}


@pytest.mark.usefixtures("any_wait_is_long")
async def test_without_callers_each_connection_is_one(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway(
        {
            "listen": "127.0.0.1:0",
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {"overload_seconds": 1e-6},
        }
    )
    async with as_caller(gateway) as other:
        floods = asyncio.ensure_future(flood(gateway))
        while not floods.done():
            await call(other, "ListProviders")
    assert await floods == {"GATEWAY_OVERLOADED"}


async def test_callers_take_turns_to_begin() -> None:
    entrance = Admission(30)
    begun: list[str] = []

    async def come(name: str) -> None:
        await entrance.turn(lambda: name)
        begun.append(name)

    calls = [asyncio.create_task(come("a")) for _ in range(100)]
    calls += [asyncio.create_task(come("b")) for _ in range(3)]
    await asyncio.gather(*calls)
    # The first has begun before the others came.
    assert [number for number, name in enumerate(begun) if name == "b"] == [2, 4, 6]
    await eventually(lambda: not entrance._busy)


async def test_however_many_callers_there_are_no_more_wait_than_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "MOST_WAITING", 10)
    entrance = Admission(30)
    await entrance.turn(lambda: "first")
    waiting = []
    for number in range(20):
        assert not entrance._is_too_much(f"{number}")
        waiting.append(asyncio.create_task(entrance.turn(lambda number=number: f"{number}")))  # type: ignore[misc]
    await asyncio.sleep(0)
    assert entrance.waiting == 20
    assert entrance._is_too_much("another")
    await asyncio.gather(*waiting)
    await eventually(lambda: not entrance._busy)


async def test_what_comes_when_it_is_full_is_served_as_ever(
    open_teams: OpenTeams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every shape, where it is not too much of its caller."""
    monkeypatch.setattr(Admission, "is_full", lambda _: True)
    teams = await open_teams(a={})
    gateway = teams["a"]
    batch = await finished(gateway, await create(gateway, "openai"))
    content = await gateway.download(batch.output_file_id)
    assert content.count(b"\n") == 4
    assert (await failed(gateway, "GetBatch", batch_id="batch_nothing")).code == "NOT_FOUND"
    assert (await failed(gateway, "GetBatch", batch_id="../")).reason == "INVALID_FIELD"
    unreadable: Any = gateway.channel.unary_unary("/batchgate.v1.BatchService/GetBatch")
    refused = await outcome(unreadable(b"\xff"))
    assert refused is not None
    assert refused.reason == "INVALID_FIELD"
    none: Any = gateway.channel.stream_unary("/batchgate.v1.BatchService/GetBatch")
    refused = await outcome(none(iter(())))
    assert refused is not None
    assert (refused.reason, refused.message) == ("INVALID_FIELD", "request: is missing")


@pytest.mark.usefixtures("any_wait_is_long")
async def test_an_upload_of_another_begins_in_a_flood(open_teams: OpenTeams) -> None:
    teams = await open_teams({"server": {"overload_seconds": 1e-6}}, a={}, b={})
    floods = asyncio.ensure_future(flood(teams["a"]))
    while not floods.done():
        messages = upload_messages(bytes(10_000), filename="a", purpose="vision")
        assert (await teams["b"].files.UploadFile(messages)).file.size_bytes == 10_000
    assert await floods == {"GATEWAY_OVERLOADED"}
