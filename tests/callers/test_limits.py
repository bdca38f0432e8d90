"""How much callers may use, each by itself and all together."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server.callers import allowance
from batchgate_server.callers.allowance import DAY, Allowance, Kind
from batchgate_server.errors import CallerLimit, GatewayOverloaded
from batchgate_server.settings import Limits
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway, upload_messages
from tests.services.calls import call, failed
from tests.services.lines import create, lines
from tests.status import Failure, failure_of
from tests.waiting import eventually


@asynccontextmanager
async def upload_under_way(gateway: Gateway, account: Account) -> AsyncIterator[Any]:
    """An upload that has begun at the provider, and waits for more."""
    before = len(await account.requests())
    stream = gateway.files.UploadFile()
    for message in upload_messages(b"x" * 1000, filename="a.txt", purpose="user_data"):
        await stream.write(message)

    async def arrived() -> bool:
        return len(await account.requests()) > before

    await eventually(arrived)
    yield stream
    stream.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stream


async def refused(rpc: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rpc
    return failure_of(caught.value)


async def at_last(begin: Callable[[], Any]) -> None:
    """Repeats a call until there is room for it: a place is free when the gateway has noticed."""

    async def accepted() -> bool:
        try:
            await begin()
        except grpc.aio.AioRpcError as exc:
            if failure_of(exc).reason in {"CALLER_LIMIT", "GATEWAY_OVERLOADED"}:
                return False
            raise
        return True

    await eventually(accepted)


@pytest.mark.parametrize("overall", [False, True])
async def test_uploads_at_once(open_teams: OpenTeams, account: Account, overall: bool) -> None:
    settings = {"limits": {"max_uploads": 1}} if overall else {}
    teams = await open_teams(settings, a={} if overall else {"max_uploads": 1}, b={})
    async with upload_under_way(teams["a"], account):
        failure = await refused(teams["a"].upload(lines(1)))
        assert failure.code == "RESOURCE_EXHAUSTED"
        if overall:
            assert failure.reason == "GATEWAY_OVERLOADED"
            assert failure.message == "the gateway has 1 uploads under way, which is its limit"
        else:
            assert failure.reason == "CALLER_LIMIT"
            assert failure.message == "a has 1 uploads under way, which is its limit"
            await teams["b"].upload(lines(1))
        assert failure.retry_seconds == 1.0
        await call(teams["a"], "ListFiles")
    await at_last(lambda: teams["a"].upload(lines(1)))


async def test_a_file_that_is_read_for_a_batch_counts_as_an_upload(
    open_teams: OpenTeams, account: Account
) -> None:
    """Its models are looked at, with as much in memory as an upload takes."""
    limits = {"limits": {"max_uploads": 1}}
    teams = await open_teams(limits, a={"models": ["gpt-4o-mini"]}, b={})
    file = (await teams["b"].upload(lines(1))).file
    async with upload_under_way(teams["b"], account):
        failure = await failed(teams["a"], "CreateBatch", input_file_id=file.id)
        assert failure.message == "the gateway has 1 uploads under way, which is its limit"
    await at_last(lambda: call(teams["a"], "CreateBatch", input_file_id=file.id))


async def test_calls_at_once(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"max_calls": 2}, b={})
    async with upload_under_way(teams["a"], account), upload_under_way(teams["a"], account):
        assert (await failed(teams["a"], "ListFiles")).reason == "CALLER_LIMIT"
        await call(teams["b"], "ListFiles")
    await at_last(lambda: call(teams["a"], "ListFiles"))


async def test_watches_at_once(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"max_watches": 1, "max_calls": 1}, b={})
    batch = await create(teams["b"], "openai", lines(1))
    request = pb.WatchBatchRequest(batch_id=batch.id)
    watch = teams["a"].batches.WatchBatch(request)
    await watch.read()
    failure = await refused(teams["a"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id)))
    assert (failure.reason, failure.message) == (
        "CALLER_LIMIT",
        "a has 1 watches under way, which is its limit",
    )
    # A watch takes no place of a call.
    await call(teams["a"], "GetBatch", batch_id=batch.id)
    watch.cancel()


async def test_calls_per_second(open_teams: OpenTeams, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    teams = await open_teams(a={"calls_per_second": 2}, b={"calls_per_second": 0.1})
    for _ in range(2):
        await call(teams["a"], "ListProviders")
    failure = await failed(teams["a"], "ListProviders")
    assert (failure.reason, failure.retry_seconds) == ("CALLER_LIMIT", 0.5)
    await call(teams["b"], "ListProviders")
    assert (await failed(teams["b"], "ListProviders")).retry_seconds == 10.0
    now += 0.5
    await call(teams["a"], "ListProviders")
    assert (await failed(teams["a"], "ListProviders")).reason == "CALLER_LIMIT"
    now += 1000
    for _ in range(2):
        await call(teams["a"], "ListProviders")
    assert (await failed(teams["a"], "ListProviders")).reason == "CALLER_LIMIT"


class Clocks:
    """Takes the place of `time` in the limits: seconds pass, and the clock on the wall jumps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, wall: float) -> None:
        self._wall, self._passed = wall, 1000.0
        monkeypatch.setattr(allowance, "time", self)

    def monotonic(self) -> float:
        return self._passed

    def time(self) -> float:
        return self._wall

    def jump(self, seconds: float) -> None:
        self._wall += seconds

    def go_on(self, seconds: float) -> None:
        self._wall += seconds
        self._passed += seconds


# A minute before midnight.
LATE = 20_000 * DAY + DAY - 60.0


async def test_bytes_of_a_day(
    open_teams: OpenTeams, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks(monkeypatch, LATE)
    teams = await open_teams(a={"bytes_per_day": 10_000}, b={})
    file = (await teams["a"].upload(b"x" * 6000)).file
    # Cut off while it comes in, so that the provider has no file.
    failure = await refused(teams["a"].upload(b"y" * 6000, chunk=1000))
    assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "CALLER_LIMIT")
    assert failure.message == "a has used up its 10000 bytes of today (UTC), which is its limit"
    assert failure.retry_seconds == 60.0
    assert await account.file_ids() == [file.id]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await teams["a"].download(file.id)
    assert failure_of(caught.value).reason == "CALLER_LIMIT"
    assert len(await teams["b"].download(file.id)) == 6000
    clocks.go_on(60)
    assert len(await teams["a"].download(file.id)) == 6000
    assert (await refused(teams["a"].upload(b"y" * 6000))).retry_seconds == DAY


@pytest.mark.parametrize("jump", [400 * DAY, 7200, -7200, -400 * DAY])
@pytest.mark.parametrize("is_corrected", [False, True])
async def test_a_clock_that_jumps_gives_nothing_and_keeps_nothing_back(
    open_teams: OpenTeams, monkeypatch: pytest.MonkeyPatch, jump: int, is_corrected: bool
) -> None:
    clocks = Clocks(monkeypatch, LATE)
    teams = await open_teams(a={"bytes_per_day": 10_000})
    await teams["a"].upload(b"x" * 6000, purpose="vision")
    clocks.jump(jump)
    failure = await refused(teams["a"].upload(b"x" * 6000, purpose="vision"))
    assert (failure.reason, failure.retry_seconds) == ("CALLER_LIMIT", 60)
    # The day after begins as ever, wherever the clock is then; and so does the one after that.
    for seconds in (60, DAY):
        clocks.go_on(seconds)
        await teams["a"].upload(b"x" * 6000, purpose="vision")
        failure = await refused(teams["a"].upload(b"x" * 6000, purpose="vision"))
        assert failure.reason == "CALLER_LIMIT"
        if is_corrected:
            clocks.jump(-jump)
            jump = 0


async def test_an_exhausted_day_refuses_uploads_at_once(
    open_teams: OpenTeams, account: Account
) -> None:
    teams = await open_teams(a={"bytes_per_day": 1000})
    await teams["a"].upload(b"x" * 1000)
    made = len(await account.requests())
    stream = teams["a"].files.UploadFile()
    await stream.write(
        file_service_pb2.UploadFileRequest(
            metadata=file_service_pb2.UploadFileMetadata(filename="a", purpose="user_data")
        )
    )
    assert (await refused(stream)).reason == "CALLER_LIMIT"
    assert len(await account.requests()) == made


async def test_rows_count(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"bytes_per_day": 500})
    row = pb.BatchLine(custom_id="x", body_json='{"model": "m", "pad": "%s"}' % ("x" * 600))
    messages = [
        pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(endpoint="/v1/chat/completions")),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row])),
    ]
    assert (await refused(teams["a"].batches.SubmitBatch(iter(messages)))).reason == "CALLER_LIMIT"
    assert await account.file_ids() == []


async def test_what_a_retry_reads_counts(open_teams: OpenTeams, account: Account) -> None:
    """Also where little of it is sent again, or nothing."""
    teams = await open_teams(a={"bytes_per_day": 20_000}, b={"bytes_per_day": 4_000}, c={})
    body = '{"model": "m", "sandbox": {"fail": 500}, "pad": "%s"}'
    rows = [pb.BatchLine(custom_id="failing", body_json=body % "")]
    rows += [
        pb.BatchLine(custom_id=f"{n}", body_json='{"model": "m", "messages": []}')
        for n in range(20)
    ]
    messages = [
        pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(endpoint="/v1/chat/completions")),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=rows)),
    ]
    batch = (await teams["c"].batches.SubmitBatch(iter(messages))).batch
    await teams["c"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
    done = (await call(teams["c"], "GetBatch", batch_id=batch.id)).batch
    sizes = {
        name: (await call(teams["c"], "GetFile", file_id=getattr(done, name))).file.size_bytes
        for name in ("input_file_id", "output_file_id", "error_file_id")
    }
    read = sum(sizes.values())
    assert sizes["output_file_id"] > 4_000
    assert read < 20_000
    before = await account.file_ids()
    request = pb.RetryBatchRequest(batch_id=batch.id)
    assert (await refused(teams["b"].batches.RetryBatch(request))).reason == "CALLER_LIMIT"
    assert await account.file_ids() == before
    answer = await teams["a"].batches.RetryBatch(request)
    # What was read and what was sent, and nothing twice.
    used = read + answer.file.size_bytes
    await teams["a"].upload(b"x" * (20_000 - used), purpose="vision")
    assert (await refused(teams["a"].upload(b"x", purpose="vision"))).reason == "CALLER_LIMIT"


async def test_results_that_are_read_and_not_wanted_count(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"bytes_per_day": 100}, b={})
    batch = await create(teams["b"], "openai", lines(5))
    await teams["b"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
    request = pb.StreamBatchResultsRequest(batch_id=batch.id, filter=pb.RESULT_FILTER_FAILED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in teams["a"].batches.StreamBatchResults(request)]
    assert failure_of(caught.value).reason == "CALLER_LIMIT"


async def test_results_count(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"bytes_per_day": 100}, b={})
    batch = await create(teams["b"], "openai", lines(5))
    await teams["b"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
    results = teams["a"].batches.StreamBatchResults(pb.StreamBatchResultsRequest(batch_id=batch.id))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        _ = [message async for message in results]
    assert failure_of(caught.value).reason == "CALLER_LIMIT"


async def test_a_refused_call_uses_nothing_up(open_teams: OpenTeams) -> None:
    teams = await open_teams(
        {"limits": {"max_calls": 1}}, a={"allow": ["files.read"], "calls_per_second": 0.001}
    )
    for _ in range(3):
        assert (await failed(teams["a"], "GetBatch")).reason == "CALLER_NOT_PERMITTED"
    await call(teams["a"], "ListFiles")
    assert (await failed(teams["a"], "ListFiles")).reason == "CALLER_LIMIT"


async def test_a_retry_is_an_upload(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(
        a={"max_upload_bytes": 300}, b={"bytes_per_day": 300}, c={"max_uploads": 1}, d={}
    )
    rows = [
        pb.BatchLine(custom_id=f"{n}", body_json='{"model": "m", "sandbox": {"fail": 500}}')
        for n in range(4)
    ]
    messages = [
        pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(endpoint="/v1/chat/completions")),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=rows)),
    ]
    batch = (await teams["d"].batches.SubmitBatch(iter(messages))).batch
    await teams["d"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
    before = await account.file_ids()
    request = pb.RetryBatchRequest(batch_id=batch.id)
    assert (await refused(teams["a"].batches.RetryBatch(request))).reason == "FILE_TOO_LARGE"
    assert (await refused(teams["b"].batches.RetryBatch(request))).reason == "CALLER_LIMIT"
    async with upload_under_way(teams["c"], account):
        assert (await refused(teams["c"].batches.RetryBatch(request))).reason == "CALLER_LIMIT"
    assert await account.file_ids() == before
    await teams["d"].batches.RetryBatch(request)


async def test_what_is_read_for_a_caller_counts(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": ["gpt-4o-mini"], "bytes_per_day": 500}, b={})
    file = (await teams["b"].upload(lines(20))).file
    request = pb.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/chat/completions")
    assert (await refused(teams["a"].batches.CreateBatch(request))).reason == "CALLER_LIMIT"


def test_places_come_back_whatever_happens() -> None:
    one = Allowance("a", Limits(max_calls=1))
    for _ in range(3):
        with pytest.raises(KeyError), one.using(Kind.CALL):
            raise KeyError
    with one.using(Kind.CALL), pytest.raises(CallerLimit), one.using(Kind.CALL):
        pass


def test_new_limits_count_at_once_with_what_is_running() -> None:
    all_together = Allowance("", Limits())
    with all_together.using(Kind.UPLOAD):
        all_together.limits = Limits(max_uploads=1)
        with pytest.raises(GatewayOverloaded), all_together.using(Kind.UPLOAD):
            pass
        with all_together.using(Kind.CALL), all_together.using(Kind.WATCH):
            pass


def test_a_rate_that_is_set_later_begins_full() -> None:
    one = Allowance("a", Limits())
    begun = time.monotonic()
    one.limits = Limits(calls_per_second=3)
    for _ in range(3):
        with one.using(Kind.CALL):
            pass
    with pytest.raises(CallerLimit), one.using(Kind.CALL):
        pass
    assert time.monotonic() - begun < 0.3
