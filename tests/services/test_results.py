"""StreamBatchResults on every flavour of provider: whatever became of a batch, and any break."""

import json
import re
from collections.abc import AsyncIterable
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_pb2, file_service_pb2
from batchgate.v1 import batch_service_pb2 as pb
from tests.conftest import PROFILES, Account, Gateway, OpenGateway
from tests.services.rows import WATCH, created, done, ended, line, outcomes, quick_gateway, results
from tests.status import Failure, failure_of


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    return await quick_gateway(account, open_gateway)


async def refused(gateway: Gateway, batch_id: str, **request: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await results(gateway, batch_id, **request)
    return failure_of(raised.value)


MIXED = (
    line("fine", text="Hello")
    + line("refused", fail=400)
    + line("é😀", reply="naïve")
    + line("expired", error="batch_expired")
)


@pytest.mark.parametrize("provider", PROFILES)
async def test_all_rows_of_a_batch_each_with_its_outcome(gateway: Gateway, provider: str) -> None:
    batch = await created(gateway, MIXED, provider=provider)
    rows = await results(gateway, batch.id, provider=provider, wait_until_done=True)
    assert [row.succeeded for row in rows] == [True, True, False, False]
    by_id = {row.custom_id: row for row in rows}
    assert by_id.keys() == {"fine", "refused", "é😀", "expired"}

    fine = by_id["fine"]
    body = json.loads(fine.response.body_json)
    assert fine.response.status_code == 200
    assert fine.response.provider_request_id
    assert fine.model == body["model"]
    assert fine.usage.input_tokens == body["usage"]["prompt_tokens"] > 0
    assert fine.usage.output_tokens == body["usage"]["completion_tokens"] > 0
    assert fine.usage.total_tokens == body["usage"]["total_tokens"]
    reply = json.loads(by_id["é😀"].response.body_json)
    assert reply["choices"][0]["message"]["content"] == "naïve"

    assert by_id["refused"].response.status_code == 400
    assert json.loads(by_id["refused"].response.body_json)["error"]
    assert by_id["expired"].error.code == "batch_expired"

    for wanted, ids in (
        (pb.RESULT_FILTER_SUCCEEDED, {"fine", "é😀"}),
        (pb.RESULT_FILTER_FAILED, {"refused", "expired"}),
    ):
        filtered = await outcomes(gateway, batch.id, provider=provider, filter=wanted)
        assert filtered.keys() == ids


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_body_is_as_in_the_file(gateway: Gateway, provider: str) -> None:
    batch = await done(gateway, MIXED, provider=provider)
    content = await gateway.download(batch.output_file_id, provider=provider)
    for row in await results(
        gateway, batch.id, provider=provider, filter=pb.RESULT_FILTER_SUCCEEDED
    ):
        assert row.response.body_json.encode() in content.splitlines()[row.line - 1]


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_batch_without_failures_or_without_successes(
    gateway: Gateway, provider: str
) -> None:
    batch = await done(gateway, line("a") + line("b"), provider=provider)
    assert await outcomes(gateway, batch.id, provider=provider) == {"a": True, "b": True}
    batch = await done(gateway, line("a", fail=500) + line("b", fail=429), provider=provider)
    assert batch.status == batch_pb2.BATCH_STATUS_COMPLETED
    assert await outcomes(gateway, batch.id, provider=provider) == {"a": False, "b": False}


@pytest.mark.parametrize("provider", PROFILES)
async def test_an_expired_batch_gives_what_was_paid_for(gateway: Gateway, provider: str) -> None:
    content = b"".join(line(f"{number}") for number in range(4))
    batch = await done(gateway, content, provider=provider, metadata={"sandbox_outcome": "expired"})
    assert batch.status == batch_pb2.BATCH_STATUS_EXPIRED
    found = await outcomes(gateway, batch.id, provider=provider)
    assert found == {"0": True, "1": True, "2": False, "3": False}


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_cancelled_batch_and_the_wait_for_it(
    account: Account, open_gateway: OpenGateway, provider: str
) -> None:
    gateway = await quick_gateway(account, open_gateway, watch={**WATCH, "heartbeat_seconds": 0.05})
    batch = await created(
        gateway, line("a") + line("b", batch="stall") + line("c"), provider=provider
    )
    error = await refused(gateway, batch.id, provider=provider)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "BATCH_NOT_FINISHED")
    assert error.metadata["provider"] == provider

    request = pb.StreamBatchResultsRequest(
        provider=provider, batch_id=batch.id, wait_until_done=True
    )
    stream = aiter(gateway.batches.StreamBatchResults(request))
    beats = [await anext(stream) for _ in range(4)]
    assert all(not beat.results and beat.resume_token for beat in beats)
    await gateway.batches.CancelBatch(pb.CancelBatchRequest(provider=provider, batch_id=batch.id))
    assert [row.custom_id async for message in stream for row in message.results] == ["a"]
    request.resume_token = beats[-1].resume_token
    again = gateway.batches.StreamBatchResults(request)
    assert [row.custom_id async for message in again for row in message.results] == ["a"]


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_failed_batch_has_no_rows(gateway: Gateway, provider: str) -> None:
    batch = await created(
        gateway, line("a"), provider=provider, metadata={"sandbox_outcome": "failed"}
    )
    assert await results(gateway, batch.id, provider=provider, wait_until_done=True) == []
    assert (await ended(gateway, batch.id, provider=provider)).errors


@pytest.mark.parametrize("provider", PROFILES)
async def test_results_that_are_deleted(gateway: Gateway, provider: str) -> None:
    batch = await done(gateway, line("a"), provider=provider)
    await gateway.files.DeleteFile(
        file_service_pb2.DeleteFileRequest(provider=provider, file_id=batch.output_file_id)
    )
    error = await refused(gateway, batch.id, provider=provider)
    assert (error.code, error.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert f"the output file of {batch.id}, {batch.output_file_id}, is gone" in error.message
    assert error.metadata["http_status"] == "404"


async def broken(
    stream: AsyncIterable[pb.StreamBatchResultsResponse],
    messages: list[pb.StreamBatchResultsResponse],
) -> Failure:
    """How a stream breaks; what came before goes to `messages`."""
    try:
        async for message in stream:
            messages.append(message)  # noqa: PERF401 - what came before the break counts
    except grpc.aio.AioRpcError as exc:
        return failure_of(exc)
    raise AssertionError("it ended well")


def ids_of(messages: list[pb.StreamBatchResultsResponse]) -> list[str]:
    return [row.custom_id for message in messages for row in message.results]


@pytest.mark.parametrize("provider", PROFILES)
async def test_content_that_is_cut_off_is_gone_on_with_by_another_gateway(
    account: Account, gateway: Gateway, open_gateway: OpenGateway, provider: str
) -> None:
    ids = [f"row-{number}" for number in range(400)]
    batch = await done(gateway, b"".join(line(one) for one in ids), provider=provider)
    await account.fault(kind="cut", path="*/content", send_bytes=100_000, times=None)
    request = pb.StreamBatchResultsRequest(provider=provider, batch_id=batch.id)
    messages: list[pb.StreamBatchResultsResponse] = []
    error = await broken(gateway.batches.StreamBatchResults(request), messages)
    before = ids_of(messages)
    assert (error.code, error.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert error.retry_seconds
    assert 0 < len(before) < len(ids)

    await account.mend()
    other = await quick_gateway(account, open_gateway)
    token = messages[-1].resume_token
    rest = await outcomes(other, batch.id, provider=provider, resume_token=token)
    assert sorted([*before, *rest]) == sorted(ids)


async def test_a_gateway_dies_in_the_middle_and_another_one_goes_on(
    account: Account, gateway: Gateway, open_gateway: OpenGateway
) -> None:
    ids = [f"row-{number}" for number in range(300)]
    batch = await done(gateway, b"".join(line(one) for one in ids))
    await account.fault(kind="slow_send", path="*/content", bytes_per_second=60_000)
    request = pb.StreamBatchResultsRequest(batch_id=batch.id)
    stream = aiter(gateway.batches.StreamBatchResults(request))
    messages = [await anext(stream)]
    await gateway.application.stop(0)
    assert (await broken(stream, messages)).code == "UNAVAILABLE"

    before = ids_of(messages)
    assert 0 < len(before) < len(ids)
    other = await quick_gateway(account, open_gateway)
    rest = await outcomes(other, batch.id, resume_token=messages[-1].resume_token)
    assert sorted([*before, *rest]) == sorted(ids)


async def test_a_gateway_that_shuts_down_ends_the_wait_at_once(gateway: Gateway) -> None:
    batch = await created(gateway, line("a", batch="stall"))
    request = pb.StreamBatchResultsRequest(batch_id=batch.id, wait_until_done=True)
    stream = aiter(gateway.batches.StreamBatchResults(request))
    await anext(stream)
    await gateway.application.stop(60)
    assert (await broken(stream, [])).reason == "SERVER_DRAINING"


async def test_what_is_asked_for_wrongly(gateway: Gateway) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "batch_id": {"batch_id": ""},
        "filter": {"filter": 9},
        "resume_token": {"resume_token": "garbage"},
    }
    for field, request in wrong.items():
        error = await refused(gateway, **{"batch_id": "batch_1", **request})
        assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert error.fields.keys() == {field}
    error = await refused(gateway, "batch_unknown")
    assert (error.code, error.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    error = await refused(gateway, "batch_1", provider="none")
    assert error.reason == "PROVIDER_UNKNOWN"


async def test_a_token_of_another_batch_filter_or_provider(gateway: Gateway) -> None:
    batch = await done(gateway, line("a"))
    stream = gateway.batches.StreamBatchResults(pb.StreamBatchResultsRequest(batch_id=batch.id))
    token = (await anext(aiter(stream))).resume_token
    others: list[dict[str, Any]] = [
        {"batch_id": "batch_1"},
        {"filter": pb.RESULT_FILTER_FAILED},
        {"provider": "azure"},
    ]
    for request in others:
        error = await refused(gateway, **{"batch_id": batch.id, "resume_token": token, **request})
        assert error.fields.keys() == {"resume_token"}
    assert await results(gateway, batch.id, provider="openai", resume_token=token) == []


async def test_the_log_counts_what_was_sent(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = await done(gateway, line("a") + line("b"))
    content = await gateway.download(batch.output_file_id)
    capsys.readouterr()
    await results(gateway, batch.id)
    logged = re.search(r"sent_bytes=(\d+)", capsys.readouterr().out)
    assert logged
    # The rows are sent without their newlines.
    assert int(logged[1]) == len(content) - 2


async def test_the_log_counts_a_row_in_parts_once(
    gateway: Gateway, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = await done(gateway, line("a", reply_length=3_000_000) + line("b"))
    content = await gateway.download(batch.output_file_id)
    capsys.readouterr()
    assert len(await results(gateway, batch.id)) > 2
    out = capsys.readouterr().out
    logged = re.search(r"sent_bytes=(\d+)", out)
    assert logged
    assert int(logged[1]) == len(content) - 2


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_row_as_large_as_those_with_images(gateway: Gateway, provider: str) -> None:
    large = line("large", text="ä 行 🚀", reply_length=5_000_000)
    batch = await done(gateway, line("before") + large + line("after"), provider=provider)
    content = await gateway.download(batch.output_file_id, provider=provider)
    request = pb.StreamBatchResultsRequest(provider=provider, batch_id=batch.id)
    messages = [message async for message in gateway.batches.StreamBatchResults(request)]
    assert max(message.ByteSize() for message in messages) < 2 * 1024 * 1024
    parts = [row for message in messages for row in message.results if row.custom_id == "large"]
    assert [part.body_continues for part in parts] == [True] * (len(parts) - 1) + [False]
    body = "".join(part.response.body_json for part in parts)
    assert len(json.loads(body)["choices"][0]["message"]["content"]) == 5_000_000
    assert body.encode() in content.splitlines()[parts[0].line - 1]

    # Broken off within the row, it comes anew on another replica.
    place = next(
        number
        for number, message in enumerate(messages)
        if message.results and message.results[-1].body_continues
    )
    before = ids_of(messages[:place])
    token = messages[place].resume_token
    rest = await results(gateway, batch.id, provider=provider, resume_token=token)
    assert [row.custom_id for row in rest if not row.body_continues] == [
        one for one in ["before", "large", "after"] if one not in before
    ]
