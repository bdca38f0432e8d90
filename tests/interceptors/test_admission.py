"""Too much to do: who comes is refused at once, those who wait are served, and it passes."""

import asyncio
import os
import time
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from batchgate.v1 import provider_service_pb2 as pb
from batchgate_server.interceptors import admission, yielding
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.status import Failure, failure_of
from tests.waiting import eventually

MANY = 1000


@pytest.fixture
def any_wait_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast this machine is: the callers share the loop with the gateway."""
    monkeypatch.setattr(admission, "LONG_SECONDS", 0.0)
    monkeypatch.setattr(admission, "FEW_WAITING", 0)


async def opened(open_gateway: OpenGateway, account: Account, patience: float) -> Gateway:
    return await open_gateway(
        {
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {"overload_seconds": patience},
        }
    )


async def outcome(call: Any) -> Failure | None:
    try:
        await call
    except grpc.aio.AioRpcError as exc:
        return failure_of(exc)
    return None


async def flood(gateway: Gateway, count: int) -> list[Failure | None]:
    request = pb.ListProvidersRequest()
    metadata = [("x-request-id", "mine")]
    calls = [gateway.providers.ListProviders(request, metadata=metadata) for _ in range(count)]
    return await asyncio.gather(*map(outcome, calls))


@pytest.mark.usefixtures("any_wait_is_long")
async def test_too_many_are_refused_at_once_and_told_so(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, patience=1e-6)
    with capture_logs() as log:
        flooding = asyncio.ensure_future(flood(gateway, MANY))
        health: Any = health_pb2_grpc.HealthStub(gateway.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        outcomes = await flooding
        refused = [one for one in outcomes if one]
        assert 0 < len(refused) < MANY
        for one in refused:
            assert (one.code, one.reason) == ("RESOURCE_EXHAUSTED", "GATEWAY_OVERLOADED")
            assert one.retry_seconds
            assert one.trailing["x-request-id"] == "mine"
        # It is over, and was told once, not with a line for each.
        assert await flood(gateway, 1) == [None]
        await eventually(lambda: [line for line in log if line["event"] == "overloaded"])
    told = sum(line.get("refused_calls", 0) for line in log)
    assert told == len(refused)
    assert len([line for line in log if line["event"] == "rpc"]) == MANY + 1 - len(refused)


async def test_many_at_once_are_no_overload(open_gateway: OpenGateway, account: Account) -> None:
    gateway = await opened(open_gateway, account, patience=30)
    assert await flood(gateway, MANY) == [None] * MANY


@pytest.mark.usefixtures("any_wait_is_long")
async def test_an_upload_that_is_one_too_many_is_told_so(
    open_gateway: OpenGateway, account: Account
) -> None:
    """Its caller writes meanwhile, and must not lose the answer for that."""
    gateway = await opened(open_gateway, account, patience=1e-6)
    flooding = asyncio.ensure_future(flood(gateway, MANY))
    uploads = [
        gateway.files.UploadFile(
            upload_messages(bytes(100_000), chunk=1000, filename="a", purpose="vision")
        )
        for _ in range(20)
    ]
    outcomes = await asyncio.gather(*map(outcome, uploads))
    await flooding
    refused = [one for one in outcomes if one]
    assert refused
    assert {one.reason for one in refused} == {"GATEWAY_OVERLOADED"}
    assert len(await account.file_ids()) == len(uploads) - len(refused)


@pytest.mark.usefixtures("any_wait_is_long")
async def test_a_short_moment_does_not_make_it_patient_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(admission, "monotonic", lambda: now)
    entrance = admission.Admission(1.0)
    entrance._pace = 0.01

    def refused() -> bool:
        return entrance.is_full() and entrance._is_too_much("a")

    async def queue(begin: float) -> asyncio.Task[None]:
        """One that has begun, and one that waits."""
        nonlocal now
        now = begin
        assert not refused()
        await entrance.turn(lambda: "a")
        waiting = asyncio.create_task(entrance.turn(lambda: "a"))
        await asyncio.sleep(0)
        return waiting

    first = await queue(1000.0)
    assert not refused()
    now = 1001.5
    assert refused()
    await first
    await eventually(lambda: not entrance._busy)
    # The queue was empty for a moment only: it has been long, by and large, since long ago.
    second = await queue(1001.6)
    now = 1001.7
    assert refused()
    await second
    await eventually(lambda: not entrance._busy)
    # And now it was for longer.
    third = await queue(1003.0)
    now = 1003.1
    assert not refused()
    await third


async def test_a_few_are_never_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is: they would not be served sooner by coming again."""
    now = 1000.0
    monkeypatch.setattr(admission, "monotonic", lambda: now)
    entrance = admission.Admission(1.0)
    entrance._pace = 1.0

    def refused() -> bool:
        return entrance.is_full() and entrance._is_too_much("a")

    await entrance.turn(lambda: "a")
    calls = [asyncio.create_task(entrance.turn(lambda: "a")) for _ in range(admission.FEW_WAITING)]
    await asyncio.sleep(0)
    assert entrance.waiting == admission.FEW_WAITING
    for _ in range(3):
        now += 2.0
        assert not refused()
    calls.append(asyncio.create_task(entrance.turn(lambda: "a")))
    await asyncio.sleep(0)
    assert not refused()
    now += 1.1
    assert refused()
    await asyncio.gather(*calls)
    await eventually(lambda: not entrance._busy)


@pytest.mark.parametrize(
    ("overloaded", "together"), [(False, [1, 8, 8, 3]), (True, [1, 4, 4, 4, 4, 3])]
)
async def test_those_who_wait_begin_together(overloaded: bool, together: list[int]) -> None:
    """And count as several, so that the wait is not thought longer than it is."""
    entrance = admission.Admission(30)
    if overloaded:
        entrance._long_at = time.monotonic()
    begun: list[int] = []

    async def call(number: int) -> None:
        await entrance.turn(lambda: "a")
        begun.append(number)

    calls = [asyncio.create_task(call(number)) for number in range(20)]
    sizes: list[int] = []
    while len(begun) < 20:
        before = len(begun)
        await asyncio.sleep(0)
        if len(begun) > before:
            sizes.append(len(begun) - before)
    assert begun == list(range(20))
    assert sizes == together
    await asyncio.gather(*calls)
    await eventually(lambda: not entrance._busy)


@pytest.mark.parametrize(
    ("every_seconds", "turns"),
    [(-1.0, admission.LONG_LOOK), (float("inf"), admission.SHORT_LOOK)],
)
async def test_now_and_then_a_look_for_new_calls_is_a_long_one(
    monkeypatch: pytest.MonkeyPatch, every_seconds: float, turns: int
) -> None:
    """On one core gRPC's threads bring nothing while the loop does not let them."""
    monkeypatch.setattr(admission, "LONG_LOOK_EVERY_SECONDS", every_seconds)
    entrance = admission.Admission(30)
    await entrance.turn(lambda: "a")
    waiting = [asyncio.create_task(entrance.turn(lambda: "a")) for _ in range(20)]
    seen: list[int] = []
    begun = 0
    while begun < 20:
        taken = 0
        while (now := sum(task.done() for task in waiting)) == begun:
            taken += 1
            await asyncio.sleep(0)
        begun = now
        seen.append(taken)
    # The second and the third group; the first one's look began before it waited.
    assert all(turns <= one <= turns + 2 for one in seen[1:]), seen
    await eventually(lambda: not entrance._busy)


async def test_each_turn_of_a_look_yields_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """To gRPC's threads, which on one core would bring nothing otherwise."""
    yields: list[None] = []
    # Whoever else is busy on this machine.
    monkeypatch.setattr(yielding, "NOTICED_SECONDS", float("inf"))
    monkeypatch.setattr(os, "sched_yield", lambda: yields.append(None))
    entrance = admission.Admission(30)
    await entrance.turn(lambda: "a")
    await eventually(lambda: not entrance._busy)
    assert len(yields) == admission.SHORT_LOOK


async def test_who_goes_while_waiting_takes_nobodys_turn(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, patience=30)
    flooding = asyncio.ensure_future(flood(gateway, MANY))
    entrance = gateway.application._admission
    await eventually(lambda: entrance.waiting > 10)
    hasty = [gateway.providers.ListProviders(pb.ListProvidersRequest()) for _ in range(50)]
    # They have come behind the flood when it is half through.
    await eventually(lambda: entrance.waiting < MANY / 2)
    for call in hasty:
        call.cancel()
    assert await flooding == [None] * MANY
    await eventually(lambda: not entrance.waiting and not entrance._busy)


@pytest.mark.usefixtures("any_wait_is_long")
async def test_a_new_patience_counts_at_once(open_gateway: OpenGateway, account: Account) -> None:
    gateway = await opened(open_gateway, account, patience=30)
    settings = gateway.application.settings
    server = settings.server.model_copy(update={"overload_seconds": 1e-6})
    gateway.application.reload(settings.model_copy(update={"server": server}))
    assert any(await flood(gateway, MANY))
