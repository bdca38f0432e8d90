"""What is shared by all who watch, and when the provider is asked: against canned answers."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from contextvars import ContextVar
from typing import Any

import httpx
import pytest

from batchgate_server.batches import polling
from batchgate_server.batches.watching import Observation, Subscription, Watching, is_terminal
from batchgate_server.call import Call, current_call, enter_call
from batchgate_server.errors import (
    InternalError,
    ProviderBadResponse,
    ProviderCredentialRejected,
    ProviderNotFound,
    ProviderTimeout,
    ServerDraining,
)
from batchgate_server.rest.models import RestBatch
from batchgate_server.settings import WatchSettings
from tests.batches.canned import CannedProvider
from tests.waiting import eventually, no_task_but, tasks

FAST = WatchSettings(first_poll_seconds=0.005, slowest_poll_seconds=0.01)
# So slow that only what a test does by itself makes the gateway look.
SLOW = WatchSettings(first_poll_seconds=100, slowest_poll_seconds=100)
PATIENCE = 10.0


@pytest.fixture
def canned() -> CannedProvider:
    return CannedProvider()


@pytest.fixture
async def watching(canned: CannedProvider) -> AsyncIterator[Watching]:
    watching = Watching(FAST, canned.find)
    yield watching
    await watching.aclose()


async def seen(subscription: Subscription) -> Observation:
    observation = await subscription.next(PATIENCE)
    assert observation is not None
    return observation


async def watch_all(stack: AsyncExitStack, watching: Watching, *ids: str) -> list[Subscription]:
    return [await stack.enter_async_context(watching.watch("openai", one)) for one in ids]


@pytest.mark.parametrize("status", ["completed", "Failed", "EXPIRED", "cancelled"])
def test_terminal_states(status: str) -> None:
    assert is_terminal(RestBatch(id="b", status=status))


@pytest.mark.parametrize("status", ["", "validating", "In_Progress", "cancelling", "scheduling"])
def test_states_that_go_on(status: str) -> None:
    assert not is_terminal(RestBatch(id="b", status=status))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "finalizing"},
        {"request_counts": {"total": 2, "completed": 1, "failed": 0}},
        {"output_file_id": "file-1"},
        {"error_file_id": "file-1"},
    ],
)
async def test_a_change_is_given_once(
    canned: CannedProvider, watching: Watching, change: dict[str, Any]
) -> None:
    canned.add("batch_1")
    async with watching.watch("openai", "batch_1") as subscription:
        assert (await seen(subscription)).batch.status == "in_progress"
        assert await subscription.next(0.03) is None
        canned.batches["batch_1"] |= change
        news = await seen(subscription)
        assert RestBatch.model_validate(canned.batches["batch_1"]) == news.batch
        assert await subscription.next(0.03) is None


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"a": "b"}},
        {"status": "In_Progress"},
        {"request_counts": {"total": None, "completed": None, "failed": None}},
        {"output_file_id": ""},
    ],
)
async def test_what_is_no_change_is_seen_but_not_given(
    canned: CannedProvider, watching: Watching, change: dict[str, Any]
) -> None:
    canned.add("batch_1", output_file_id=None, request_counts=None)
    async with watching.watch("openai", "batch_1") as subscription:
        first = await seen(subscription)
        canned.batches["batch_1"] |= change
        expected = RestBatch.model_validate(canned.batches["batch_1"])
        await eventually(lambda: latest(subscription).observed_at > first.observed_at)
        await eventually(lambda: latest(subscription).batch == expected)
        assert await subscription.next(0) is None


async def test_a_slow_reader_gets_the_newest_state_alone(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_1")
    async with watching.watch("openai", "batch_1") as subscription:
        for count in range(20):
            canned.batches["batch_1"]["request_counts"] = {"total": 20, "completed": count}
            asked = len(canned.asked)
            await eventually(lambda asked=asked: len(canned.asked) > asked + 1)  # type: ignore[misc]
        news = await seen(subscription)
        assert news.batch.request_counts is not None
        assert news.batch.request_counts.completed == 19
        assert await subscription.next(0) is None


async def test_one_look_serves_all_who_watch_a_batch(canned: CannedProvider) -> None:
    canned.add("batch_1")
    watching = Watching(SLOW, canned.find)
    async with AsyncExitStack() as stack:
        subscriptions = await watch_all(stack, watching, *["batch_1"] * 100)
        states = await asyncio.gather(*(seen(one) for one in subscriptions))
        # One who comes later gets at once what is known.
        (late,) = await watch_all(stack, watching, "batch_1")
        assert await late.next(0) is states[0]
    assert all(state is states[0] for state in states)
    assert canned.asked == ["batch_1"]


async def test_one_who_comes_later_brings_a_slow_look_forward(canned: CannedProvider) -> None:
    canned.add("batch_1", created_at=1)
    watching = Watching(
        WatchSettings(first_poll_seconds=0.01, slowest_poll_seconds=100), canned.find
    )
    async with AsyncExitStack() as stack:
        (first,) = await watch_all(stack, watching, "batch_1")
        await seen(first)
        assert await first.next(0.05) is None
        assert canned.asked == ["batch_1"]
        canned.batches["batch_1"]["status"] = "finalizing"
        await watch_all(stack, watching, "batch_1")
        # And what has just moved is looked at often again.
        await eventually(lambda: len(canned.asked) > 5)


async def test_a_list_serves_several_that_are_due(
    canned: CannedProvider, watching: Watching
) -> None:
    ids = [f"batch_{number}" for number in range(10)]
    canned.add(*ids)
    async with AsyncExitStack() as stack:
        subscriptions = await watch_all(stack, watching, *ids)
        for subscription in subscriptions:
            await seen(subscription)
        await eventually(lambda: len(canned.asked) > 50)
    # Jitter may leave one over, now and then.
    assert canned.asked.count("list") > 40
    assert {one.batch.id for one in map(latest, subscriptions)} == set(ids)


async def test_what_is_nearly_due_is_looked_at_together(
    canned: CannedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"batch_{number}" for number in range(5)]
    canned.add(*ids)
    spread = itertools.cycle([0.0, 0.25, 0.5, 0.75, 1.0])
    monkeypatch.setattr(polling, "luck", lambda: next(spread))
    watching = Watching(
        WatchSettings(first_poll_seconds=0.1, slowest_poll_seconds=0.1), canned.find
    )
    async with AsyncExitStack() as stack:
        for subscription in await watch_all(stack, watching, *ids):
            await seen(subscription)
        # By then all were seen by one list.
        await eventually(lambda: canned.asked[-2:] == ["list", "list"])
        canned.asked.clear()
        await eventually(lambda: len(canned.asked) >= 3)
    assert set(canned.asked) == {"list"}


def latest(subscription: Subscription) -> Observation:
    assert subscription.latest is not None
    return subscription.latest


async def test_what_is_not_in_the_list_is_got_singly(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_1", "batch_old", "batch_older")
    canned.unlisted = {"batch_old", "batch_older"}
    async with AsyncExitStack() as stack:
        subscriptions = await watch_all(stack, watching, *canned.batches)
        for subscription in subscriptions:
            await seen(subscription)
        assert canned.asked.count("list") == 1
        # From now on a list would tell of one batch only.
        await eventually(lambda: canned.asked.count("batch_1") > 3)
        await eventually(lambda: canned.asked.count("batch_old") > 3)
        assert canned.asked.count("list") == 1
        for batch in canned.batches.values():
            batch["status"] = "completed"
        for subscription in subscriptions:
            assert is_terminal((await seen(subscription)).batch)


async def test_a_list_is_looked_through_for_three_pages_only(canned: CannedProvider) -> None:
    canned.add(*(f"batch_{number}" for number in range(1000)))
    watching = Watching(SLOW, canned.find)
    ids = ["batch_5", "batch_105", "batch_205", "batch_305", "batch_405"]
    async with AsyncExitStack() as stack:
        for subscription in await watch_all(stack, watching, *ids):
            await seen(subscription)
    assert sorted(canned.asked) == ["batch_305", "batch_405", "list", "list", "list"]


@pytest.mark.parametrize("status", [200, 403, 404, 500])
async def test_a_list_that_does_not_work_is_a_saving_lost(
    canned: CannedProvider, watching: Watching, status: int
) -> None:
    def no_list(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/batches"):
            return httpx.Response(status, text="<html>", headers={"retry-after-ms": "1"})
        return None

    canned.answer = no_list
    canned.add("batch_1", "batch_2")
    async with AsyncExitStack() as stack:
        for subscription in await watch_all(stack, watching, "batch_1", "batch_2"):
            await seen(subscription)
            await eventually(lambda: canned.asked.count("batch_1") > 3)
    # Tried again, now and then.
    assert 1 <= canned.asked.count("list") < len(canned.asked) / 2


@pytest.mark.parametrize("status", [429, 401])
async def test_a_list_that_is_refused_speaks_for_all(
    canned: CannedProvider, watching: Watching, status: int
) -> None:
    canned.add("batch_1", "batch_2", "batch_3")
    canned.answer = lambda request: httpx.Response(
        status, json={"error": {"message": "no"}}, headers={"retry-after": "1000"}
    )
    async with AsyncExitStack() as stack:
        subscriptions = await watch_all(stack, watching, *canned.batches)
        if status == 401:
            for subscription in subscriptions:
                with pytest.raises(ProviderCredentialRejected):
                    await subscription.next(PATIENCE)
        else:
            await eventually(lambda: all(one.fault for one in subscriptions))
            assert await subscriptions[0].next(0.02) is None
            # Whoever comes now knows why nothing is said.
            canned.add("batch_4")
            (late,) = await watch_all(stack, watching, "batch_4")
            assert late.fault is not None
            assert late.fault.reason == "PROVIDER_RATE_LIMITED"
            assert await late.next(0.02) is None
    assert canned.asked == ["list"]


async def test_a_bad_answer_about_one_batch_does_not_hold_up_the_others(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_good")
    canned.add("batch_bad", status="completed")
    canned.unlisted = {"batch_bad", "batch_good"}
    canned.answer = lambda request: (
        httpx.Response(200, text="<html>") if "batch_bad" in str(request.url) else None
    )
    async with AsyncExitStack() as stack:
        good, bad = await watch_all(stack, watching, "batch_good", "batch_bad")
        await seen(good)
        await eventually(lambda: canned.asked.count("batch_good") > 3)
        assert isinstance(bad.fault, ProviderBadResponse)
        canned.answer = lambda request: None
        assert is_terminal((await seen(bad)).batch)


FAILING = {"retry-after": "1000"}


async def test_a_batch_whose_look_fails_does_not_hold_up_the_others(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_good")
    canned.answer = lambda request: (
        httpx.Response(500, headers=FAILING) if "batch_bad" in str(request.url) else None
    )
    async with AsyncExitStack() as stack:
        (bad,) = await watch_all(stack, watching, "batch_bad")
        await eventually(lambda: bad.fault)
        (good,) = await watch_all(stack, watching, "batch_good")
        assert good.fault is None
        await seen(good)
        await eventually(lambda: canned.asked.count("batch_good") > 3)
        canned.batches["batch_good"]["status"] = "completed"
        assert is_terminal((await seen(good)).batch)
        assert bad.fault is not None
    assert canned.asked.count("batch_bad") == 1


async def test_a_batch_whose_look_failed_is_not_looked_at_early(
    canned: CannedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "EARLY", 10**6)
    watching = Watching(FAST, canned.find)
    canned.add("batch_good", "batch_bad")
    async with AsyncExitStack() as stack:
        good, bad = await watch_all(stack, watching, "batch_good", "batch_bad")
        await asyncio.gather(seen(good), seen(bad))
        canned.answer = lambda request: (
            None if "batch_good" in str(request.url) else httpx.Response(500, headers=FAILING)
        )
        monkeypatch.setattr(watching._pollers["openai"], "_lists_at", float("inf"))
        await eventually(lambda: bad.fault)
        canned.answer = lambda request: None
        monkeypatch.setattr(watching._pollers["openai"], "_lists_at", 0.0)
        canned.asked.clear()
        await eventually(lambda: len(canned.asked) > 3)
    assert set(canned.asked) == {"batch_good"}


@pytest.mark.parametrize("kind", ["two batches", "429", "reset"])
async def test_what_speaks_for_the_provider_holds_up_all(canned: CannedProvider, kind: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        if kind == "reset":
            raise httpx.ReadError("reset")
        return httpx.Response(429 if kind == "429" else 500, headers=FAILING)

    canned.answer = fail
    canned.add("batch_good")
    slow = Watching(SLOW, canned.find)
    async with AsyncExitStack() as stack:
        (one,) = await watch_all(stack, slow, "batch_1")
        await eventually(lambda: one.fault)
        if kind == "two batches":
            (other,) = await watch_all(stack, slow, "batch_2")
            assert other.fault is None
            await eventually(lambda: other.fault)
        canned.answer = lambda request: None
        (good,) = await watch_all(stack, slow, "batch_good")
        assert good.fault is not None
        assert await good.next(0.02) is None
    assert "batch_good" not in canned.asked


@pytest.mark.parametrize("headers", [{"retry-after": "1000000000"}, {"retry-after-ms": "1e300"}])
async def test_a_provider_that_asks_for_years_is_asked_again_in_minutes(
    canned: CannedProvider, watching: Watching, headers: dict[str, str]
) -> None:
    canned.answer = lambda request: httpx.Response(429, headers=headers)
    async with AsyncExitStack() as stack:
        (one,) = await watch_all(stack, watching, "batch_1")
        await eventually(lambda: one.fault)
        poller = watching._pollers["openai"]
        timer = poller._timer
        assert timer is not None
        now = asyncio.get_running_loop().time()
        assert now + 100 < timer.when() < now + 400
        assert poller._open_at == timer.when()


async def test_a_wait_that_is_asked_for_one_batch_is_not_anothers(
    canned: CannedProvider, watching: Watching
) -> None:
    """Two that fail are the provider's trouble, but not for as long as each of them is to wait."""
    canned.answer = lambda request: (
        httpx.Response(503, headers=FAILING) if "batch_bad" in str(request.url) else None
    )
    canned.add("batch_good")
    async with AsyncExitStack() as stack:
        (one,) = await watch_all(stack, watching, "batch_bad1")
        await eventually(lambda: one.fault)
        (other,) = await watch_all(stack, watching, "batch_bad2")
        await eventually(lambda: other.fault)
        (good,) = await watch_all(stack, watching, "batch_good")
        await seen(good)
        await eventually(lambda: canned.asked.count("batch_good") > 3)
    assert canned.asked.count("batch_bad1") == canned.asked.count("batch_bad2") == 1


async def test_a_batch_that_vanishes_is_doubted_once(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_1")
    missing = httpx.Response(404, json={"error": {"message": "gone"}})
    async with watching.watch("openai", "batch_1") as subscription:
        await seen(subscription)
        answers = [missing]
        canned.answer = lambda request: answers.pop() if answers else None
        await eventually(lambda: not answers)
        assert await subscription.next(0.03) is None
        canned.answer = lambda request: missing
        with pytest.raises(ProviderNotFound):
            await subscription.next(PATIENCE)
        # The end is told to each as an error of its own.
        with pytest.raises(ProviderNotFound) as caught:
            await subscription.next(PATIENCE)
        with pytest.raises(ProviderNotFound) as again:
            await subscription.next(PATIENCE)
        assert caught.value is not again.value
        assert caught.value.metadata["http_status"] == "404"


async def test_an_error_names_the_providers_request(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.answer = lambda request: httpx.Response(403, headers={"x-request-id": "req_1"})
    async with watching.watch("openai", "batch_1") as subscription:
        with pytest.raises(Exception, match="403") as caught:
            await subscription.next(PATIENCE)
        assert getattr(caught.value, "metadata", {})["provider_request_id"] == "req_1"


async def test_a_look_that_takes_too_long_is_given_up(
    canned: CannedProvider, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LOOK_SECONDS", 0.01)
    canned.add("batch_1", "batch_2")
    provider = canned.find("openai")
    original = provider.rest._transport.handle_async_request

    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(provider.rest._transport, "handle_async_request", hang)
    async with (
        watching.watch("openai", "batch_1") as one,
        watching.watch("openai", "batch_2") as other,
    ):
        await eventually(lambda: one.fault and other.fault)
        assert isinstance(one.fault, ProviderTimeout)
        monkeypatch.setattr(provider.rest._transport, "handle_async_request", original)
        await seen(one)
        await seen(other)


LANGUAGE: ContextVar[str] = ContextVar("language", default="none")


async def test_a_look_is_no_part_of_a_call(canned: CannedProvider, watching: Watching) -> None:
    contexts = []
    canned.answer = lambda request: contexts.append((LANGUAGE.get(), current_call().method))
    canned.add("batch_1", "batch_2")

    async def caller(batch_id: str) -> list[bool]:
        LANGUAGE.set("en")
        enter_call(call := Call(method="WatchBatch", request_id="r"))
        endless = [call.endless]
        async with watching.watch("openai", batch_id) as subscription:
            endless.append(call.endless)
            await seen(subscription)
        return [*endless, call.endless]

    ends = await asyncio.gather(caller("batch_1"), caller("batch_2"))
    assert list(ends) == [[False, True, False]] * 2
    assert set(contexts) == {("none", "watch")}


async def test_a_caller_who_goes_away_takes_nothing_from_the_others(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_1")
    arrived, go_on = asyncio.Event(), asyncio.Event()
    provider = canned.find("openai")
    transport = provider.rest._transport

    class Gate(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            arrived.set()
            await go_on.wait()
            return await transport.handle_async_request(request)

    provider.rest._transport = Gate()

    async def caller() -> Observation:
        async with watching.watch("openai", "batch_1") as subscription:
            return await seen(subscription)

    first, second = asyncio.create_task(caller()), asyncio.create_task(caller())
    await arrived.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert (await second).batch.id == "batch_1"
    assert canned.asked == ["batch_1"]


@pytest.mark.parametrize("hanging", [False, True])
async def test_nothing_is_left_when_the_last_one_leaves(
    canned: CannedProvider, watching: Watching, hanging: bool
) -> None:
    canned.add("batch_1", "batch_2")
    before = tasks()
    provider = canned.find("openai")
    async with AsyncExitStack() as stack:
        for batch_id in canned.batches:
            await seen(await stack.enter_async_context(watching.watch("openai", batch_id)))
        if hanging:
            arrived = asyncio.Event()

            class Hanging(httpx.AsyncBaseTransport):
                async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                    arrived.set()
                    await asyncio.Event().wait()
                    raise AssertionError

            provider.rest._transport = Hanging()
            await arrived.wait()
    await no_task_but(before)
    poller = watching._pollers["openai"]
    assert (poller._timer, poller._watched, poller._looks) == (None, {}, set())
    # And it begins anew with the next.
    provider.rest._transport = httpx.MockTransport(canned)
    async with watching.watch("openai", "batch_1") as subscription:
        await seen(subscription)


async def test_a_finished_batch_is_looked_at_no_more(
    canned: CannedProvider, watching: Watching
) -> None:
    canned.add("batch_1", status="completed")
    async with watching.watch("openai", "batch_1") as subscription:
        assert is_terminal((await seen(subscription)).batch)
        assert await subscription.next(0.05) is None
        assert watching._pollers["openai"]._timer is None
    assert canned.asked == ["batch_1"]


async def test_a_defect_ends_the_watch_instead_of_hanging_it(
    canned: CannedProvider, watching: Watching, capsys: pytest.CaptureFixture[str]
) -> None:
    def defect(request: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError

    canned.answer = defect
    async with watching.watch("openai", "batch_1") as subscription:
        with pytest.raises(InternalError):
            await subscription.next(PATIENCE)
    assert "ZeroDivisionError" in capsys.readouterr().out


async def test_a_provider_in_trouble_does_not_fill_the_log(
    canned: CannedProvider, watching: Watching, capsys: pytest.CaptureFixture[str]
) -> None:
    canned.answer = lambda request: httpx.Response(503, headers={"retry-after-ms": "1"})
    async with watching.watch("openai", "batch_1"):
        await eventually(lambda: len(canned.asked) > 5)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if "warning" in line]) == 1
    assert len([line for line in lines if "debug" in line and "poll failed" in line]) >= 4


async def test_the_end_of_the_gateway_is_told_at_once(canned: CannedProvider) -> None:
    canned.add("batch_1")
    watching = Watching(SLOW, canned.find)
    before = tasks()
    async with watching.watch("openai", "batch_1") as subscription:
        await seen(subscription)
        waiting = asyncio.create_task(subscription.next(PATIENCE))
        await asyncio.sleep(0)
        await watching.aclose()
        with pytest.raises(ServerDraining):
            await waiting
    with pytest.raises(ServerDraining):
        async with watching.watch("openai", "batch_1"):
            raise AssertionError
    await no_task_but(before)
