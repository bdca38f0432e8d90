"""WatchBatch and WaitBatch, over a real channel, with the sandbox as the provider."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from structlog.testing import capture_logs

from batchgate.v1 import batch_pb2, batch_service_pb2, file_service_pb2
from batchgate_server.batches.watching import Subscription, wait_until_terminal
from batchgate_server.errors import ServerDraining
from batchgate_server.services import batch_service
from tests.batches.canned import CannedProvider
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles, upload_messages
from tests.status import Failure, failure_of
from tests.stubs import batch_stub
from tests.waiting import eventually, no_task_but, tasks

LINE = (
    b'{"custom_id": "one", "method": "POST", "url": "/v1/chat/completions",'
    b' "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}}\n'
)
FAST = {"first_poll_seconds": 0.01, "slowest_poll_seconds": 0.02}
SNAPSHOT = batch_service_pb2.WATCH_EVENT_SNAPSHOT
CHANGE = batch_service_pb2.WATCH_EVENT_CHANGE
HEARTBEAT = batch_service_pb2.WATCH_EVENT_HEARTBEAT
COMPLETED = batch_pb2.BATCH_STATUS_COMPLETED
CANCELLED = batch_pb2.BATCH_STATUS_CANCELLED
GET = {"method": "GET", "path": "*/batches/batch_*"}

Open = Callable[..., Awaitable[Gateway]]
Watch = grpc.aio.UnaryStreamCall[
    batch_service_pb2.WatchBatchRequest, batch_service_pb2.WatchBatchResponse
]


@pytest.fixture
def open_fast(account: Account, open_gateway: OpenGateway) -> Open:
    """A function that opens a gateway which polls fast, or as `watch` says."""

    async def open_one(**watch: float) -> Gateway:
        return await open_gateway(
            {
                "providers": profiles(account),
                "default_provider": "openai",
                "watch": {**FAST, **watch},
            }
        )

    return open_one


@pytest.fixture
async def gateway(open_fast: Open) -> Gateway:
    return await open_fast()


async def create(gateway: Gateway, *, provider: str = "openai", outcome: str = "") -> str:
    """A new batch; with the outcome `stalled` it changes no more until it is cancelled."""
    file = (await gateway.upload(LINE, provider=provider)).file
    request = batch_service_pb2.CreateBatchRequest(
        provider=provider,
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        metadata={"sandbox_outcome": outcome} if outcome else {},
    )
    return (await gateway.batches.CreateBatch(request)).batch.id


async def cancel(gateway: Gateway, batch_id: str, *, provider: str = "openai") -> None:
    await gateway.batches.CancelBatch(
        batch_service_pb2.CancelBatchRequest(provider=provider, batch_id=batch_id)
    )


def watch(gateway: Gateway, batch_id: str, *, provider: str = "openai") -> Watch:
    return gateway.batches.WatchBatch(
        batch_service_pb2.WatchBatchRequest(provider=provider, batch_id=batch_id)
    )


async def stalled(call: Watch) -> batch_service_pb2.WatchBatchResponse:
    """Reads until the batch is in progress."""
    async for news in call:
        if news.batch.status == batch_pb2.BATCH_STATUS_IN_PROGRESS:
            return news
    raise AssertionError


async def failed(call: Any) -> Failure:
    """How a call ends, whatever it says before."""
    answer = everything(call) if hasattr(call, "__aiter__") else call
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    return failure_of(caught.value)


async def everything(call: Watch) -> list[batch_service_pb2.WatchBatchResponse]:
    return [message async for message in call]


async def polls(account: Account) -> list[dict[str, Any]]:
    """The requests that ask how batches are."""
    return [
        one
        for one in await account.requests()
        if one["method"] == "GET" and "/batches" in one["path"]
    ]


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_watch_from_creation_to_the_end(
    gateway: Gateway, account: Account, provider: str
) -> None:
    # Slow enough for looks in between on a busy machine, too.
    await account.settings(step_seconds=0.05)
    batch_id = await create(gateway, provider=provider)
    begin = time.time()
    call = watch(gateway, batch_id, provider=provider)
    messages = await everything(call)
    assert await call.code() == grpc.StatusCode.OK
    events = [message.event for message in messages]
    assert events == [SNAPSHOT, *[CHANGE] * (len(messages) - 1)]
    assert len(messages) > 2
    batches = [message.batch for message in messages]
    assert {(batch.id, batch.provider) for batch in batches} == {(batch_id, provider)}
    states = [(batch.status, str(batch.request_counts), batch.output_file_id) for batch in batches]
    assert all(one != other for one, other in itertools.pairwise(states))
    assert batches[-1].status == COMPLETED
    assert batches[-1].output_file_id
    times = [message.observed_at.ToNanoseconds() / 1e9 for message in messages]
    assert begin <= times[0]
    assert times == sorted(times)
    assert "x-request-id" in dict(await call.trailing_metadata())


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_watch_of_a_finished_batch_ends_at_once(
    gateway: Gateway, account: Account, provider: str
) -> None:
    batch_id = await create(gateway, provider=provider)
    async for _ in watch(gateway, batch_id, provider=provider):
        pass
    before = len(await polls(account))
    (message,) = [message async for message in watch(gateway, batch_id, provider=provider)]
    assert (message.event, message.batch.status) == (SNAPSHOT, COMPLETED)
    assert len(await polls(account)) == before + 1


async def test_a_watch_where_nothing_happens_is_kept_alive(open_fast: Open) -> None:
    gateway = await open_fast(heartbeat_seconds=0.03)
    batch_id = await create(gateway, outcome="stalled")
    call = watch(gateway, batch_id)
    last = await stalled(call)
    heartbeats = []
    async for message in call:
        if message.event == HEARTBEAT:
            heartbeats.append(message)
        else:
            last = message
        if len(heartbeats) == 3:
            break
    assert all(message.batch == last.batch for message in heartbeats)
    times = [message.observed_at.ToNanoseconds() for message in (last, *heartbeats)]
    assert times == sorted(times)
    assert len(set(times)) > 1, "heartbeats tell of the newest look"
    await cancel(gateway, batch_id)
    messages = [message async for message in call if message.event != HEARTBEAT]
    assert messages[-1].event == CHANGE
    assert messages[-1].batch.status == CANCELLED
    call.cancel()


async def test_a_watch_that_has_seen_nothing_yet_is_kept_alive_too(
    open_fast: Open, account: Account
) -> None:
    gateway = await open_fast(heartbeat_seconds=0.03)
    batch_id = await create(gateway)
    await account.fault(kind="answer", status=429, headers={"retry-after": "0.2"}, **GET)
    messages = [message async for message in watch(gateway, batch_id)]
    first = messages[0]
    assert first.event == HEARTBEAT
    assert first.batch == batch_pb2.Batch(provider="openai", id=batch_id)
    assert not first.HasField("observed_at")
    others = [message for message in messages if message.event != HEARTBEAT]
    assert others[0].event == SNAPSHOT
    assert others[-1].batch.status == COMPLETED


PASSING: dict[str, dict[str, Any]] = {
    "503": {"kind": "answer", "status": 503, "headers": {"retry-after": "0.02"}},
    "500": {"kind": "answer", "status": 500, "headers": {"retry-after-ms": "20"}},
    "429": {"kind": "answer", "status": 429, "headers": {"retry-after": "0.02"}},
    "quota": {
        "kind": "answer",
        "status": 429,
        "body": {"error": {"code": "insufficient_quota", "message": "no money"}},
    },
    "html": {"kind": "answer", "status": 200, "body": "<html>busy</html>"},
    "list": {"kind": "answer", "status": 200, "body": []},
    "cut": {"kind": "cut"},
    "reset": {"kind": "reset"},
}


@pytest.mark.parametrize("skip", [0, 2], ids=["at first", "later"])
@pytest.mark.parametrize("kind", PASSING)
async def test_a_passing_fault_does_not_end_a_watch(
    gateway: Gateway, account: Account, kind: str, skip: int
) -> None:
    batch_id = await create(gateway, outcome="stalled")
    await account.fault(**PASSING[kind], **GET, skip=skip, times=3)
    call = watch(gateway, batch_id)
    await stalled(call)
    await eventually(lambda: faulty(account, 3))
    await cancel(gateway, batch_id)
    assert (await everything(call))[-1].batch.status == CANCELLED
    assert await call.code() == grpc.StatusCode.OK


async def test_a_batch_that_always_fails_does_not_hold_up_the_others(
    open_fast: Open, account: Account
) -> None:
    gateway = await open_fast(first_poll_seconds=0.01, slowest_poll_seconds=60)
    bad, good = [await create(gateway, outcome="stalled") for _ in range(2)]
    path = f"/v1/batches/{bad}"
    headers = {"retry-after": "60"}
    await account.fault(kind="answer", status=500, path=path, headers=headers, times=None)
    failing = watch(gateway, bad)
    await eventually(lambda: faulty(account, 1))
    call = watch(gateway, good)
    async with asyncio.timeout(10):
        await stalled(call)
    request = batch_service_pb2.WaitBatchRequest(batch_id=good, timeout=Duration(nanos=1))
    assert (await gateway.batches.WaitBatch(request)).batch.id == good
    await cancel(gateway, good)
    assert (await everything(call))[-1].batch.status == CANCELLED
    assert not failing.done()
    failing.cancel()
    await cancel(gateway, bad)


async def faulty(account: Account, times: int) -> bool:
    return len([one for one in await polls(account) if one["fault"]]) >= times


async def test_a_provider_that_asks_for_time_gets_it(gateway: Gateway, account: Account) -> None:
    ids = [await create(gateway, outcome="stalled") for _ in range(2)]
    calls = [watch(gateway, batch_id) for batch_id in ids]
    for call in calls:
        await stalled(call)
    await account.fault(kind="answer", status=429, headers={"retry-after": "0.5"}, method="GET")
    await eventually(lambda: faulty(account, 1))
    for batch_id in ids:
        await cancel(gateway, batch_id)
    for call in calls:
        assert (await everything(call))[-1].batch.status == CANCELLED
    asked = await polls(account)
    refused = next(n for n, one in enumerate(asked) if one["fault"])
    # One that was under way already may follow it; then nobody asks.
    gaps = [later["received_at"] - asked[refused]["received_at"] for later in asked[refused + 1 :]]
    assert all(gap >= 0.5 or gap < 0.25 for gap in gaps)
    assert len([gap for gap in gaps if gap < 0.25]) <= 1


LASTING = {
    401: ("FAILED_PRECONDITION", "PROVIDER_CREDENTIAL_REJECTED"),
    403: ("PERMISSION_DENIED", "PROVIDER_FORBIDDEN"),
    400: ("INVALID_ARGUMENT", "PROVIDER_REJECTED"),
}


@pytest.mark.parametrize("skip", [0, 3], ids=["at first", "later"])
@pytest.mark.parametrize("status", LASTING)
async def test_a_lasting_fault_ends_all_watches_of_the_batch(
    gateway: Gateway, account: Account, status: int, skip: int
) -> None:
    batch_id = await create(gateway, outcome="stalled")
    await account.fault(kind="answer", status=status, skip=skip, times=None, **GET)
    calls = [watch(gateway, batch_id) for _ in range(3)]
    for failure in await asyncio.gather(*(failed(call) for call in calls)):
        assert (failure.code, failure.reason) == LASTING[status]
        assert failure.metadata["http_status"] == str(status)
        assert failure.metadata["provider"] == "openai"
    # Who comes when the others' watches have ended asks anew.
    assert skip + 1 <= len(await polls(account)) <= skip + len(calls)


@pytest.mark.parametrize("provider", PROFILES)
async def test_an_unknown_batch(gateway: Gateway, account: Account, provider: str) -> None:
    failure = await failed(watch(gateway, "batch_nowhere", provider=provider))
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert len(await polls(account)) == 1


@pytest.mark.parametrize("method", ["WatchBatch", "WaitBatch"])
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"batch_id": ""}, "INVALID_FIELD"),
        ({"batch_id": "../files"}, "INVALID_FIELD"),
        ({"batch_id": "batch_1", "provider": "nobody"}, "PROVIDER_UNKNOWN"),
    ],
)
async def test_bad_requests(
    gateway: Gateway, account: Account, method: str, fields: dict[str, str], reason: str
) -> None:
    request = getattr(batch_service_pb2, f"{method}Request")(**fields)
    failure = await failed(getattr(gateway.batches, method)(request))
    assert failure.reason == reason
    assert await account.requests() == []


async def test_a_thousand_watchers_cost_what_ten_batches_do(
    open_fast: Open, account: Account
) -> None:
    first = 0.2
    gateway = await open_fast(first_poll_seconds=first, slowest_poll_seconds=first)
    ids = [await create(gateway, outcome="stalled") for _ in range(10)]
    begin = time.monotonic()

    async def follow(batch_id: str) -> batch_pb2.Batch:
        call = watch(gateway, batch_id)
        begun.append((await stalled(call)).batch.id)
        last = (await everything(call))[-1]
        return last.batch

    begun: list[str] = []
    watchers = [asyncio.create_task(follow(ids[n % 10])) for n in range(1000)]
    await eventually(lambda: len(begun) == 1000, timeout_seconds=60)
    # A while in which all of them watch.
    seen = len(await polls(account))
    await eventually(lambda: grown(account, seen + 5))
    for batch_id in ids:
        await cancel(gateway, batch_id)
    batches = await asyncio.gather(*watchers)
    assert all(batch.status == CANCELLED for batch in batches)
    rounds = (time.monotonic() - begin) / (0.9 * first) + 1
    asked = [one["path"] for one in await polls(account)]
    assert len(asked) <= 10 * rounds
    # Lists serve all of them, but for the beginning and the end.
    assert len(asked) <= 2 * rounds + 10, (rounds, asked)


async def grown(account: Account, count: int) -> bool:
    return len(await polls(account)) >= count


async def test_each_poll_has_its_profiles_own_key(
    account: Account, open_gateway: OpenGateway
) -> None:
    other = Account(key=f"{account.key}-other", url=account.url)
    gateway = await open_gateway(
        {
            "providers": {
                name: {"kind": "openai", "base_url": f"{account.url}/v1", "api_key": one.key}
                for name, one in (("blue", account), ("green", other))
            },
            "watch": FAST,
        }
    )
    ids = {
        name: [await create(gateway, provider=name, outcome="stalled") for _ in range(2)]
        for name in ("blue", "green")
    }
    calls = [watch(gateway, one, provider=name) for name in ids for one in ids[name]]
    for call in calls:
        await stalled(call)
    for name, own in ids.items():
        for batch_id in own:
            await cancel(gateway, batch_id, provider=name)
    for call in calls:
        assert (await everything(call))[-1].batch.status == CANCELLED
    for name, owner in (("blue", account), ("green", other)):
        asked = await polls(owner)
        assert {poll["path"].rpartition("/")[2] for poll in asked} <= {"batches", *ids[name]}
        assert all(poll["status"] == 200 for poll in asked)


async def test_a_watch_that_is_cancelled_leaves_nothing(gateway: Gateway) -> None:
    batch_id = await create(gateway, outcome="stalled")
    before = tasks()
    calls = [watch(gateway, batch_id) for _ in range(3)]
    for call in calls:
        await stalled(call)
    poller = gateway.application._watching._pollers["openai"]
    assert poller._watched[batch_id].watchers == 3
    for call in calls:
        call.cancel()
    await eventually(lambda: not poller._watched)
    await no_task_but(before)
    assert poller._timer is None
    await cancel(gateway, batch_id)


@asynccontextmanager
async def narrow(gateway: Gateway) -> AsyncIterator[Any]:
    """Stubs on a channel that takes 64 KiB before they are read, and not more by and by."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 64 * 1024),
    ]
    async with grpc.aio.insecure_channel(gateway.address, options=options) as channel:
        yield batch_stub(channel)


@pytest.fixture
def busy() -> CannedProvider:
    """A provider whose batch, of about 8 KiB, is another one at each look."""
    canned = CannedProvider()
    canned.add("batch_1", metadata={f"key-{number}": "x" * 512 for number in range(16)})

    def count(request: httpx.Request) -> None:
        counts = {"total": 10**6, "completed": len(canned.asked), "failed": 0}
        canned.batches["batch_1"]["request_counts"] = counts

    canned.answer = count
    return canned


async def open_busy(open_gateway: OpenGateway, busy: CannedProvider) -> Gateway:
    return await open_gateway(
        {
            "providers": {"openai": {"kind": "openai", "api_key": "sk-test"}},
            "watch": {"first_poll_seconds": 0.001, "slowest_poll_seconds": 0.001},
        },
        transport=lambda profile: httpx.MockTransport(busy),
    )


async def test_a_caller_who_does_not_read_gets_the_newest_state_later(
    open_gateway: OpenGateway, busy: CannedProvider
) -> None:
    gateway = await open_busy(open_gateway, busy)
    request = batch_service_pb2.WatchBatchRequest(batch_id="batch_1")
    async with narrow(gateway) as batches:
        call = batches.WatchBatch(request)
        await eventually(lambda: len(busy.asked) > 400)
        busy.batches["batch_1"]["status"] = "completed"
        asked = len(busy.asked)
        messages = await everything(call)
    # What had been sent until the caller's window was full, and then the newest.
    assert len(messages) < 50
    assert messages[-1].batch.status == COMPLETED
    assert messages[-1].batch.request_counts.completed > asked - 2


NAMED = {
    "WatchBatch": batch_service_pb2.WatchBatchRequest(batch_id="batch_1"),
    "WaitBatch": batch_service_pb2.WaitBatchRequest(batch_id="batch_1"),
    "StreamBatchResults": batch_service_pb2.StreamBatchResultsRequest(
        batch_id="batch_1", wait_until_done=True
    ),
}


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("method", NAMED)
async def test_a_call_that_watches_names_the_providers_last_request(
    open_gateway: OpenGateway, busy: CannedProvider, method: str, status: int
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        number = len(busy.asked)
        headers = {"x-request-id": f"req_{number}"}
        state = "cancelled" if number == 5 else "in_progress"
        code = status if number == 5 else 200
        return httpx.Response(code, json={"id": "batch_1", "status": state}, headers=headers)

    busy.answer = answer
    gateway = await open_busy(open_gateway, busy)
    with capture_logs() as lines:
        call = getattr(gateway.batches, method)(NAMED[method])
        if status == 200:
            await (everything(call) if hasattr(call, "__aiter__") else call)
            trailing = dict(await call.trailing_metadata())
        else:
            failure = await failed(call)
            trailing = failure.trailing
            assert failure.metadata["provider_request_id"] == "req_5"
        await eventually(lambda: any(line["event"] == "rpc" for line in lines))
    assert len(busy.asked) == 5
    assert trailing["x-provider-request-id"] == "req_5"
    (line,) = [line for line in lines if line["event"] == "rpc"]
    assert line["provider_request_id"] == "req_5"


async def test_a_watch_that_is_cancelled_is_logged_with_the_last_look(
    gateway: Gateway,
) -> None:
    batch_id = await create(gateway, outcome="stalled")
    with capture_logs() as lines:
        call = watch(gateway, batch_id)
        await stalled(call)
        call.cancel()
        await eventually(lambda: any(line["event"] == "rpc" for line in lines))
    (line,) = [line for line in lines if line["event"] == "rpc"]
    assert line["code"] == "CANCELLED"
    assert line["provider_request_id"].startswith("req_")
    await cancel(gateway, batch_id)


async def test_wait_for_the_end(gateway: Gateway) -> None:
    batch_id = await create(gateway)
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id)
    answer = await gateway.batches.WaitBatch(request)
    assert answer.done
    assert answer.batch.status == COMPLETED
    assert answer.batch.provider == "openai"
    assert (await gateway.batches.WaitBatch(request)).done


@pytest.mark.parametrize("nanos", [1, 50_000_000])
async def test_wait_for_a_while(gateway: Gateway, account: Account, nanos: int) -> None:
    batch_id = await create(gateway, outcome="stalled")
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id, timeout=Duration(nanos=nanos))
    answer = await gateway.batches.WaitBatch(request)
    assert not answer.done
    assert answer.batch.id == batch_id
    assert await polls(account)
    await cancel(gateway, batch_id)


async def test_waiting_and_watching_share_polls(open_fast: Open, account: Account) -> None:
    gateway = await open_fast(first_poll_seconds=0.3, slowest_poll_seconds=0.3)
    batch_id = await create(gateway, outcome="stalled")
    waits = [
        gateway.batches.WaitBatch(batch_service_pb2.WaitBatchRequest(batch_id=batch_id))
        for _ in range(20)
    ]
    call = watch(gateway, batch_id)
    await stalled(call)
    await cancel(gateway, batch_id)
    answers = await asyncio.gather(*waits)
    assert all(answer.done and answer.batch.status == CANCELLED for answer in answers)
    assert len(await polls(account)) <= 6
    call.cancel()


@pytest.mark.parametrize("duration", [Duration(seconds=-1), Duration(nanos=-1)])
async def test_a_negative_wait(gateway: Gateway, duration: Duration) -> None:
    request = batch_service_pb2.WaitBatchRequest(batch_id="batch_1", timeout=duration)
    failure = await failed(gateway.batches.WaitBatch(request))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert failure.fields == {"timeout": "must not be negative"}


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (None, 60),
        (Duration(), 60),
        (Duration(seconds=2, nanos=500_000_000), 2.5),
        (Duration(seconds=300), 300),
        (Duration(seconds=301), 300),
        (Duration(seconds=10**11), 300),
    ],
)
async def test_how_long_a_wait_is(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, duration: Duration | None, seconds: float
) -> None:
    asked = []

    async def wait(subscription: Any, *, timeout_seconds: float, first_seconds: float) -> Any:
        asked.append(timeout_seconds)
        return await original(subscription, timeout_seconds=0, first_seconds=first_seconds)

    original = wait_until_terminal
    monkeypatch.setattr(batch_service, "wait_until_terminal", wait)
    batch_id = await create(gateway, outcome="stalled")
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id, timeout=duration)
    assert not (await gateway.batches.WaitBatch(request)).done
    assert asked == [seconds]
    await cancel(gateway, batch_id)


async def test_a_wait_answers_before_the_callers_deadline(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await create(gateway, outcome="stalled")
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id)
    begin = time.monotonic()
    answer = await gateway.batches.WaitBatch(request, timeout=1.2)
    # A second before it, but not before half of it.
    assert 0.4 < time.monotonic() - begin < 1.2
    assert not answer.done
    await cancel(gateway, batch_id)


async def test_a_wait_with_nothing_to_tell_tells_why(gateway: Gateway, account: Account) -> None:
    batch_id = await create(gateway)
    await account.fault(kind="answer", status=503, times=None, headers={"retry-after": "7"}, **GET)
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id)
    failure = await failed(gateway.batches.WaitBatch(request, timeout=1))
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert failure.retry_seconds == 7


async def test_a_wait_for_a_provider_that_says_nothing(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_service, "FIRST_LOOK_SECONDS", 0.05)
    batch_id = await create(gateway)
    await account.fault(kind="hang", **GET)
    request = batch_service_pb2.WaitBatchRequest(batch_id=batch_id, timeout=Duration(nanos=1))
    failure = await failed(gateway.batches.WaitBatch(request))
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_TIMEOUT")


async def test_a_shutdown_ends_watches_at_once_and_lets_uploads_end(
    open_fast: Open, account: Account
) -> None:
    gateway = await open_fast()
    batch_id = await create(gateway, outcome="stalled")
    calls = [watch(gateway, batch_id) for _ in range(3)]
    for call in calls:
        await stalled(call)
    wait = gateway.batches.WaitBatch(batch_service_pb2.WaitBatchRequest(batch_id=batch_id))
    await eventually(lambda: watchers(gateway, batch_id) == 4)
    go_on = asyncio.Event()

    async def messages() -> AsyncIterator[file_service_pb2.UploadFileRequest]:
        parts: Iterator[file_service_pb2.UploadFileRequest] = upload_messages(
            LINE, filename="slow.jsonl", purpose="batch"
        )
        yield next(parts)
        await go_on.wait()
        for part in parts:
            yield part

    upload = gateway.files.UploadFile(messages())
    await eventually(lambda: len(gateway.application._draining._running) == 5)
    stopping = asyncio.create_task(gateway.application.stop(grace_seconds=30))
    for failure in await asyncio.gather(*(failed(call) for call in (*calls, wait))):
        assert (failure.code, failure.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
        assert failure.retry_seconds is not None
    failure = await failed(watch(gateway, batch_id))
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
    assert not stopping.done()
    go_on.set()
    assert (await upload).file.id
    await stopping


async def test_a_shutdown_ends_watches_that_begin_during_the_grace(gateway: Gateway) -> None:
    batch_id = await create(gateway, outcome="stalled")
    watching = gateway.application._watching
    # Outside of a call that could be cut off, as a call is that has not watched until now.
    async with watching.watch("openai", batch_id) as subscription:
        assert await subscription.next(10)
        stopping = asyncio.create_task(gateway.application.stop(grace_seconds=30))
        with pytest.raises(ServerDraining):
            await read_on(subscription)
    await stopping


async def read_on(subscription: Subscription) -> None:
    while True:
        await subscription.next(10)


def watchers(gateway: Gateway, batch_id: str) -> int:
    return gateway.application._watching._pollers["openai"]._watched[batch_id].watchers


async def test_a_caller_who_does_not_read_holds_up_no_shutdown(
    open_gateway: OpenGateway, busy: CannedProvider
) -> None:
    gateway = await open_busy(open_gateway, busy)
    async with narrow(gateway) as batches:
        call = batches.WatchBatch(batch_service_pb2.WatchBatchRequest(batch_id="batch_1"))
        await eventually(lambda: len(busy.asked) > 200)
        begin = time.monotonic()
        await gateway.application.stop(grace_seconds=30)
        assert time.monotonic() - begin < 10
        call.cancel()
