"""request_id: creations that are safe to repeat, whatever happens to their answers."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server import stream_end
from batchgate_server.batches import request_ids
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles
from tests.status import Failure, failure_of
from tests.waiting import arrived

ENDPOINT = "/v1/chat/completions"
KEY = "batchgate_request_id"
CREATING = {"method": "POST", "path": "*/batches"}
LISTING = {"method": "GET", "path": "*/batches"}
ROW = {
    "custom_id": "one",
    "method": "POST",
    "url": ENDPOINT,
    "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]},
}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_ids, "LOOK_AGAIN", (0.0, 0.0, 0.0))
    monkeypatch.setattr(stream_end, "LAST_WORDS_SECONDS", 0.2)


async def stored(account: Account, provider: str = "openai") -> list[dict[str, Any]]:
    """The batches that the account holds at the sandbox, as they are there."""
    path, headers = (
        ("/v1/batches", {"authorization": f"Bearer {account.key}"})
        if provider == "openai"
        else ("/openai/v1/batches", {"api-key": account.key})
    )
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{account.url}{path}", headers=headers, params={"limit": 100})
        batches: list[dict[str, Any]] = answer.json()["data"]
        return batches


async def uploaded(gateway: Gateway, provider: str = "") -> str:
    answer = await gateway.upload(
        json.dumps(ROW).encode() + b"\n", provider=provider, wait_until_processed=True
    )
    return answer.file.id


def creation(file_id: str, *, provider: str = "", **fields: Any) -> pb.CreateBatchRequest:
    fields = {"endpoint": ENDPOINT, "request_id": "id 1", **fields}
    return pb.CreateBatchRequest(provider=provider, input_file_id=file_id, **fields)


def submission(rows: int = 3, **fields: Any) -> Iterator[pb.SubmitBatchRequest]:
    fields = {"endpoint": ENDPOINT, "model": "gpt-4o-mini", "request_id": "id 1", **fields}
    yield pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(**fields))
    for number in range(rows):
        row = pb.BatchLine(custom_id=f"row-{number}", body_json='{"messages": []}')
        yield pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row]))


async def refused(call: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return failure_of(raised.value)


@pytest.mark.parametrize("provider", PROFILES)
async def test_twenty_creations_at_once_are_one_and_still_after_a_restart(
    gateway: Gateway, account: Account, open_gateway: OpenGateway, provider: str
) -> None:
    file_id = await uploaded(gateway, provider)
    request = creation(file_id, provider=provider, metadata={"team": "blue"})
    answers = await asyncio.gather(*(gateway.batches.CreateBatch(request) for _ in range(20)))
    await gateway.application.stop(grace_seconds=0)
    another = await open_gateway({"providers": profiles(account)})
    answers += await asyncio.gather(*(another.batches.CreateBatch(request) for _ in range(5)))
    (batch,) = await stored(account, provider)
    assert {answer.batch.id for answer in answers} == {batch["id"]}
    assert batch["metadata"] == {"team": "blue", KEY: "id 1"}
    assert all(dict(answer.batch.metadata) == {"team": "blue"} for answer in answers)


@pytest.mark.parametrize("provider", PROFILES)
async def test_twenty_submissions_at_once_are_one_and_still_after_a_restart(
    gateway: Gateway, account: Account, open_gateway: OpenGateway, provider: str
) -> None:
    answers = await asyncio.gather(
        *(gateway.batches.SubmitBatch(submission(provider=provider)) for _ in range(20))
    )
    await gateway.application.stop(grace_seconds=0)
    another = await open_gateway({"providers": profiles(account)})
    repeated = await another.batches.SubmitBatch(submission(provider=provider))
    (batch,) = await stored(account, provider)
    assert {answer.batch.id for answer in [*answers, repeated]} == {batch["id"]}
    created = [answer for answer in answers if answer.HasField("file")]
    assert len(created) == 1
    assert created[0].report.line_count == 3
    assert not repeated.HasField("file")
    assert not repeated.HasField("report")
    uploads = [
        request
        for request in await account.requests()
        if request["method"] == "POST" and request["path"].endswith("/files")
    ]
    assert len(uploads) == 1


async def test_a_repeat_is_answered_before_its_rows_are_read(gateway: Gateway) -> None:
    first = await gateway.batches.SubmitBatch(submission())

    async def messages() -> Any:
        for message in submission(rows=1):
            yield message
        await asyncio.Event().wait()

    again = await gateway.batches.SubmitBatch(messages())
    assert again.batch.id == first.batch.id
    large = await gateway.batches.SubmitBatch(submission(rows=20_000))
    assert large.batch.id == first.batch.id


async def test_callers_never_see_the_key(gateway: Gateway) -> None:
    file_id = await uploaded(gateway)
    batch = (await gateway.batches.CreateBatch(creation(file_id))).batch
    got = await gateway.batches.GetBatch(pb.GetBatchRequest(batch_id=batch.id))
    listed = await gateway.batches.ListBatches(pb.ListBatchesRequest())
    assert [dict(each.metadata) for each in (batch, got.batch, *listed.batches)] == [{}] * 3


async def test_without_a_request_id_nothing_is_added_or_looked_up(
    gateway: Gateway, account: Account
) -> None:
    file_id = await uploaded(gateway)
    pairs = {f"key-{n}": "value" for n in range(16)}
    for _ in range(2):
        await gateway.batches.CreateBatch(creation(file_id, request_id="", metadata=pairs))
    assert [batch["metadata"] for batch in await stored(account)] == [pairs] * 2
    assert sum(r["path"].endswith("/batches") for r in await account.requests()) == 3


async def test_another_request_id_or_provider_is_another_batch(
    gateway: Gateway, account: Account
) -> None:
    openai, azure = await uploaded(gateway), await uploaded(gateway, "azure")
    await gateway.batches.CreateBatch(creation(openai))
    await gateway.batches.CreateBatch(creation(openai, request_id="id 2"))
    await gateway.batches.CreateBatch(creation(azure, provider="azure"))
    assert len(await stored(account)) == 2
    assert len(await stored(account, "azure")) == 1


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_lost_answer_is_found_within_the_same_call(
    gateway: Gateway, account: Account, provider: str
) -> None:
    file_id = await uploaded(gateway, provider)
    await account.fault(kind="reset", process=True, **CREATING)
    answer = await gateway.batches.CreateBatch(creation(file_id, provider=provider))
    (batch,) = await stored(account, provider)
    assert answer.batch.id == batch["id"]
    assert dict(answer.batch.metadata) == {}


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_lost_answer_to_submitted_rows_is_found_too(
    gateway: Gateway, account: Account, provider: str
) -> None:
    await account.fault(kind="reset", process=True, **CREATING)
    answer = await gateway.batches.SubmitBatch(submission(provider=provider))
    (batch,) = await stored(account, provider)
    assert answer.batch.id == batch["id"]
    assert answer.file.id == batch["input_file_id"]


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_lost_answer_without_request_id_is_unknown(
    gateway: Gateway, account: Account, provider: str
) -> None:
    file_id = await uploaded(gateway, provider)
    await account.fault(kind="reset", process=True, **CREATING)
    failure = await refused(
        gateway.batches.CreateBatch(creation(file_id, provider=provider, request_id=""))
    )
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert "request_id" not in failure.message
    assert len(await stored(account, provider)) == 1


@pytest.mark.parametrize("process", [True, False])
async def test_what_could_not_be_found_out_is_found_by_the_repeat(
    gateway: Gateway, account: Account, *, process: bool
) -> None:
    file_id = await uploaded(gateway)
    await account.fault(kind="reset", process=process, **CREATING)
    # The first look is that before the creation; the three behind it have three attempts each.
    await account.fault(kind="answer", status=503, skip=1, times=9, **LISTING)
    failure = await refused(gateway.batches.CreateBatch(creation(file_id)))
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert "repeating the call with the same request_id is safe" in failure.message
    answer = await gateway.batches.CreateBatch(creation(file_id))
    (batch,) = await stored(account)
    assert answer.batch.id == batch["id"]


async def test_lists_that_are_behind(gateway: Gateway, account: Account) -> None:
    file_id = await uploaded(gateway)
    await account.fault(kind="reset", process=True, **CREATING)
    await account.fault(kind="answer", status=200, body={"data": []}, times=3, **LISTING)
    answer = await gateway.batches.CreateBatch(creation(file_id))
    (batch,) = await stored(account)
    assert answer.batch.id == batch["id"]


async def test_callers_who_wait_share_what_the_provider_said(
    gateway: Gateway, account: Account
) -> None:
    file_id = await uploaded(gateway)
    # More than the gateway waits for.
    asked = {"headers": {"retry-after": "7"}}
    await account.fault(kind="answer", status=429, delay=0.3, **asked, **CREATING)
    request = creation(file_id)
    failures = await asyncio.gather(
        *(refused(gateway.batches.CreateBatch(request)) for _ in range(3))
    )
    assert {failure.reason for failure in failures} == {"PROVIDER_RATE_LIMITED"}
    assert not await stored(account)


async def test_a_fault_of_ones_own_is_not_shared(gateway: Gateway, account: Account) -> None:
    """Whoever is first sends a broken row; the others make the batch all the same."""

    def broken() -> Iterator[pb.SubmitBatchRequest]:
        yield from submission(rows=1)
        row = pb.BatchLine(custom_id="broken", body_json="{")
        yield pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row]))

    await account.fault(kind="delay", delay=0.3, **LISTING)
    first = asyncio.ensure_future(refused(gateway.batches.SubmitBatch(broken())))
    await arrived(account, "GET", "/batches")
    answers = await asyncio.gather(*(gateway.batches.SubmitBatch(submission()) for _ in range(3)))
    assert (await first).reason == "INVALID_JSONL"
    (batch,) = await stored(account)
    assert {answer.batch.id for answer in answers} == {batch["id"]}


async def test_callers_who_go_away_do_not_take_the_creation_with_them(
    gateway: Gateway, account: Account
) -> None:
    file_id = await uploaded(gateway)
    await account.fault(kind="delay", delay=0.3, **CREATING)
    first = gateway.batches.CreateBatch(creation(file_id))
    await arrived(account, "GET", "/batches")
    second = gateway.batches.CreateBatch(creation(file_id))
    first.cancel()
    answer = await second
    (batch,) = await stored(account)
    assert answer.batch.id == batch["id"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pb.CreateBatchRequest(endpoint="/v1/responses"), "another endpoint"),
        (pb.CreateBatchRequest(input_file_id="other"), "another input_file_id"),
    ],
)
async def test_a_request_id_of_another_batch(
    gateway: Gateway, account: Account, change: pb.CreateBatchRequest, said: str
) -> None:
    file_id = await uploaded(gateway)
    batch = (await gateway.batches.CreateBatch(creation(file_id))).batch
    request = creation(file_id)
    request.MergeFrom(change)
    failure = await refused(gateway.batches.CreateBatch(request))
    assert failure.reason == "INVALID_FIELD"
    assert said in failure.fields["request_id"]
    assert batch.id in failure.message
    # Labels may differ: the first ones count.
    labelled = creation(file_id, metadata={"team": "blue"})
    assert (await gateway.batches.CreateBatch(labelled)).batch.id == batch.id
    assert len(await stored(account)) == 1


async def test_a_request_id_of_rows_for_another_endpoint(gateway: Gateway) -> None:
    await gateway.batches.SubmitBatch(submission())
    failure = await refused(gateway.batches.SubmitBatch(submission(endpoint="/v1/responses")))
    assert "another endpoint" in failure.fields["metadata.request_id"]


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"request_id": "x" * 129}, "request_id", "128"),
        ({"request_id": "ä"}, "request_id", "ASCII"),
        ({"request_id": "a\n"}, "request_id", "ASCII"),
        ({"metadata": {"batchgate_request_id": "x"}}, "metadata", "batchgate_"),
        ({"metadata": {"batchgate_": "x"}, "request_id": ""}, "metadata", "batchgate_"),
        ({"metadata": {f"{n}": "x" for n in range(16)}}, "metadata", "at most 15 pairs"),
    ],
)
async def test_what_cannot_be_kept(
    gateway: Gateway, account: Account, fields: dict[str, Any], field: str, said: str
) -> None:
    failure = await refused(gateway.batches.CreateBatch(creation("file-1", **fields)))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert said in failure.fields[field]
    assert not await account.requests()


async def test_fifteen_pairs_and_128_characters_go(gateway: Gateway, account: Account) -> None:
    file_id = await uploaded(gateway)
    pairs = {f"{n}": "x" for n in range(15)}
    request_id = "".join(map(chr, range(32, 127))).ljust(128, "~")
    answer = await gateway.batches.CreateBatch(
        creation(file_id, request_id=request_id, metadata=pairs)
    )
    assert dict(answer.batch.metadata) == pairs
    (batch,) = await stored(account)
    assert batch["metadata"] == {**pairs, KEY: request_id}


async def test_a_caller_that_goes_while_a_creation_pauses_and_repeats_it(
    gateway: Gateway, account: Account
) -> None:
    """The file is not visible yet, and the creation tries again without its caller."""
    body = {"error": {"message": "No such File object"}}
    await account.fault(
        kind="answer", method="POST", path="*/batches", status=404, body=body, times=2
    )
    first = gateway.batches.SubmitBatch(submission())
    await arrived(account, "POST", "/batches")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    again = (await gateway.batches.SubmitBatch(submission())).batch
    await gateway.application._providers.find("openai").background.settle()
    listed = await gateway.batches.ListBatches(pb.ListBatchesRequest())
    assert [batch.id for batch in listed.batches] == [again.id]
