"""A provider that keeps failing: calls fail fast, one probe at a time finds out, and it shows."""

import asyncio
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2, provider_service_pb2
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.services.calls import call, failed
from tests.services.rows import WATCH, created, line
from tests.status import Failure, failure_of
from tests.waiting import eventually

FAILING = {"kind": "answer", "status": 500, "times": None, "body": {"error": {"message": "Oops"}}}
QUICK = {"retries": 0, "breaker_failures": 3, "breaker_after_seconds": 0}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


async def broken(
    account: Account, open_gateway: OpenGateway, *, failures: int = 3, **profile: Any
) -> Gateway:
    """A gateway whose provider `openai` has failed so often just now, and goes on so."""
    configured = profiles(account)
    configured["openai"] |= {**QUICK, "breaker_probe_seconds": 60, **profile}
    gateway = await open_gateway(
        {"providers": configured, "default_provider": "openai", "watch": WATCH}
    )
    await account.fault(**FAILING)
    for _ in range(failures):
        await failed(gateway, "GetBatch")
    return gateway


async def requests(account: Account) -> int:
    return len(await account.requests())


async def health(gateway: Gateway) -> provider_service_pb2.ProviderHealth:
    answer = await call(gateway, "ListProviders")
    found: provider_service_pb2.ProviderHealth = next(
        one.health for one in answer.providers if one.name == "openai"
    )
    return found


async def refused(answer: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    return failure_of(caught.value)


async def test_calls_and_uploads_fail_fast(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await broken(account, open_gateway)
    before = await requests(account)
    upload = upload_messages(b"x", purpose="batch", filename="a")
    for failure in (
        await failed(gateway, "GetBatch"),
        await failed(gateway, "CreateBatch"),
        await refused(gateway.files.UploadFile(upload)),
        await refused(gateway.download("file-1")),
    ):
        assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
        assert failure.retry_seconds is not None
        assert 50 < failure.retry_seconds <= 60
        assert failure.metadata == {"provider": "openai"}
        assert "has failed 3 times" in failure.message
        assert failure.message.endswith("the last failure: openai answered with the status 500")
    assert await requests(account) == before


async def test_another_profile_has_a_breaker_of_its_own(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await broken(account, open_gateway)
    await account.mend()
    await call(gateway, "ListBatches", provider="azure")
    await failed(gateway, "ListBatches")


async def test_health_shows_it(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await broken(account, open_gateway)
    await failed(gateway, "GetBatch")
    seen = await health(gateway)
    assert seen.state == provider_service_pb2.PROVIDER_HEALTH_STATE_UNHEALTHY
    assert seen.detail.startswith(
        "PROVIDER_UNAVAILABLE: openai answered with the status 500; has failed 3 times in 0 s"
    )


@pytest.mark.parametrize("status", [400, 401, 404, 429])
async def test_what_the_provider_answers_does_not_open_it(
    account: Account, open_gateway: OpenGateway, status: int
) -> None:
    gateway = await broken(account, open_gateway, failures=2)
    await account.mend()
    await account.fault(kind="answer", status=status, times=None)
    before = await requests(account)
    for _ in range(5):
        await failed(gateway, "ListBatches")
    assert await requests(account) == before + 5


async def test_a_provider_that_does_not_answer_opens_it(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await broken(account, open_gateway, failures=0, timeout_seconds=0.05)
    await account.mend()
    await account.fault(kind="hang", times=None)
    for _ in range(3):
        assert (await failed(gateway, "GetBatch")).reason == "PROVIDER_TIMEOUT"
    assert (await failed(gateway, "GetBatch")).reason == "PROVIDER_UNAVAILABLE"


async def test_attempts_end_when_it_opens(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await broken(account, open_gateway, failures=0, retries=20)
    failure = await failed(gateway, "GetBatch")
    assert "has failed 3 times" in failure.message
    assert await requests(account) == 3


async def test_a_probe_finds_out_and_closes_it(
    account: Account, open_gateway: OpenGateway, lines: list[Any]
) -> None:
    gateway = await broken(account, open_gateway, breaker_probe_seconds=0.02)
    begin, before = perf_counter(), await requests(account)
    await asyncio.gather(*(failed(gateway, "GetBatch") for _ in range(20)))
    probes = await requests(account) - before
    assert probes <= 1 + (perf_counter() - begin) / 0.02
    await account.mend()

    async def healed() -> bool:
        try:
            await call(gateway, "ListBatches")
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(healed)
    assert (await health(gateway)).state == provider_service_pb2.PROVIDER_HEALTH_STATE_HEALTHY
    await asyncio.gather(*(call(gateway, "ListBatches") for _ in range(20)))
    events = [line["event"] for line in lines if line["event"].startswith("provider ")]
    assert events == ["provider left alone", "provider answers again"]


async def test_a_probe_whose_caller_goes_away_leaves_its_place(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await broken(account, open_gateway, breaker_probe_seconds=0.02)
    await account.mend()
    await account.fault(kind="hang", path="*/batches/batch_1")
    before = await requests(account)

    async def probing() -> bool:
        with pytest.raises(grpc.aio.AioRpcError):
            await call(gateway, "GetBatch", _timeout=0.1)
        return await requests(account) > before

    await eventually(probing)

    async def healed() -> bool:
        try:
            await call(gateway, "ListBatches")
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(healed)


async def test_an_upload_may_be_the_probe_and_holds_nobody_up(
    account: Account, open_gateway: OpenGateway
) -> None:
    """However long its caller takes."""
    gateway = await broken(account, open_gateway, breaker_probe_seconds=0.02)
    await account.mend()
    before = await requests(account)

    async def probing() -> Any:
        upload = gateway.files.UploadFile()
        await upload.write(next(upload_messages(b"", purpose="batch", filename="a")))
        try:
            await eventually(lambda: _more_than(account, before), timeout_seconds=0.2)
        except AssertionError:
            upload.cancel()
            return None
        return upload

    upload = await eventually(probing)

    async def healed() -> bool:
        try:
            await call(gateway, "ListBatches")
        except grpc.aio.AioRpcError:
            return False
        return True

    await eventually(healed)
    upload.cancel()


async def test_it_can_be_turned_off(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await broken(account, open_gateway, breaker_failures=0)
    before = await requests(account)
    for _ in range(10):
        await failed(gateway, "GetBatch")
    assert await requests(account) == before + 10


async def test_a_watch_outlives_it_and_its_looks_are_probes(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await broken(account, open_gateway, failures=0, breaker_probe_seconds=0.05)
    await account.mend()
    batch = await created(gateway, line("a"))
    await account.fault(**FAILING)
    for _ in range(3):
        await failed(gateway, "GetBatch")
    stream = gateway.batches.WatchBatch(batch_service_pb2.WatchBatchRequest(batch_id=batch.id))
    before = await requests(account)
    await eventually(lambda: _more_than(account, before + 1))
    await account.mend()
    statuses = [message.batch.status_text async for message in stream]
    assert statuses[-1] == "completed"
    await call(gateway, "GetBatch", batch_id=batch.id)


async def _more_than(account: Account, count: int) -> bool:
    return await requests(account) > count
