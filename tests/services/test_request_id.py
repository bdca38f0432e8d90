"""request_id: creations that are safe to repeat, whatever happens to their answers."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server import stream_end
from batchgate_server.batches import request_ids
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles
from tests.services.rows import batch_count
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually

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


def keys(batches: list[dict[str, Any]]) -> list[str]:
    """The keys that batches have, without the digests behind them."""
    return [batch["metadata"][KEY].rpartition(" #1:")[0] for batch in batches]


async def uploaded(gateway: Gateway, provider: str = "") -> str:
    answer = await gateway.upload(
        json.dumps(ROW).encode() + b"\n", provider=provider, wait_until_processed=True
    )
    return answer.file.id


def creation(input_file_id: str, **fields: Any) -> pb.CreateBatchRequest:
    fields = {"endpoint": ENDPOINT, "request_id": "id 1", **fields}
    return pb.CreateBatchRequest(input_file_id=input_file_id, **fields)


def submission(rows: int = 3, **fields: Any) -> Iterator[pb.SubmitBatchRequest]:
    fields = {"endpoint": ENDPOINT, "model": "gpt-4o-mini", "request_id": "id 1", **fields}
    yield pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(**fields))
    for number in range(rows):
        row = pb.BatchLine(custom_id=f"row-{number}", body_json='{"messages": []}')
        yield pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row]))


async def uploads(account: Account) -> list[dict[str, Any]]:
    return [
        request
        for request in await account.requests()
        if request["method"] == "POST" and request["path"].endswith("/files")
    ]


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
    assert {**batch["metadata"], KEY: keys([batch])[0]} == {"team": "blue", KEY: "id 1"}
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
    assert len(await uploads(account)) == 1


async def test_the_rows_of_a_repeat_are_compared_and_not_uploaded(
    gateway: Gateway, account: Account
) -> None:
    """In however many messages they come."""
    first = await gateway.batches.SubmitBatch(submission(rows=300))
    header, *messages = submission(rows=300)
    rows = [row for message in messages for row in message.lines.lines]
    packed = pb.SubmitBatchRequest(lines=pb.BatchLines(lines=rows))
    again = await gateway.batches.SubmitBatch(iter([header, packed]))
    assert again.batch.id == first.batch.id
    assert not again.HasField("file")
    assert len(await uploads(account)) == 1


async def test_a_repeat_may_name_its_file_anew(gateway: Gateway, account: Account) -> None:
    """By the time or by a count, as programs do: it asks for the same batch."""
    first = (await gateway.batches.SubmitBatch(submission())).batch
    again = (await gateway.batches.SubmitBatch(submission(filename="other.jsonl"))).batch
    assert again.id == first.id
    assert await batch_count(account) == 1


@pytest.mark.parametrize(
    "other",
    [
        lambda: submission(rows=2),
        lambda: submission(rows=4),
        lambda: submission(rows=60_000),
        lambda: submission(model="gpt-4o"),
        lambda: submission(metadata={"team": "blue"}),
        lambda: submission(input_expires_after={"seconds": 86400}),
        lambda: submission(endpoint="/v1/responses"),
    ],
    ids=["fewer", "more", "too many", "model", "metadata", "expiry", "endpoint"],
)
async def test_other_rows_under_one_request_id(
    gateway: Gateway, account: Account, other: Callable[[], Any]
) -> None:
    batch = (await gateway.batches.SubmitBatch(submission())).batch
    failure = await refused(gateway.batches.SubmitBatch(other()))
    assert (failure.code, failure.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")
    assert failure.metadata["batch_id"] == batch.id
    assert len(await stored(account)) == len(await uploads(account)) == 1


async def test_a_repeat_is_not_answered_before_its_last_row(
    gateway: Gateway, account: Account
) -> None:
    """Who knows what is to follow the rows of the first call?"""
    first = await gateway.batches.SubmitBatch(submission())
    before = await looks(account)
    call: Any = gateway.batches.SubmitBatch()
    for message in submission():
        await call.write(message)

    async def looked() -> bool:
        return await looks(account) > before

    await eventually(looked)
    await call.write([*submission(4)][-1])
    await call.done_writing()
    failure = await refused(call)
    assert failure.reason == "IDEMPOTENCY_KEY_REUSED"
    assert failure.metadata["batch_id"] == first.batch.id


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
    assert "repeat the call with the same request_id" in failure.message
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


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "/v1/responses"},
        {"input_file_id": "file-other"},
        {"completion_window": "48h"},
        {"metadata": {"team": "red"}},
        {"metadata": {}},
        {"output_expires_after": {"seconds": 1_300_000}},
    ],
    ids=",".join,
)
async def test_a_request_id_of_another_batch(
    gateway: Gateway, account: Account, provider: str, change: dict[str, Any]
) -> None:
    file_id = await uploaded(gateway, provider)
    fields: dict[str, Any] = {
        "input_file_id": file_id,
        "metadata": {"team": "blue"},
        "provider": provider,
    }
    batch = (await gateway.batches.CreateBatch(creation(**fields))).batch
    failure = await refused(gateway.batches.CreateBatch(creation(**{**fields, **change})))
    assert (failure.code, failure.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")
    assert failure.metadata["batch_id"] == batch.id
    assert batch.id in failure.message
    again = await gateway.batches.CreateBatch(creation(**fields))
    assert again.batch.id == batch.id
    assert len(await stored(account, provider)) == 1


async def test_a_request_that_says_the_same_in_other_words(gateway: Gateway) -> None:
    """A default that is named is the default."""
    file_id = await uploaded(gateway)
    first = await gateway.batches.CreateBatch(creation(file_id))
    for fields in ({"completion_window": "24h"}, {"provider": "openai"}):
        again = await gateway.batches.CreateBatch(creation(file_id, **fields))
        assert again.batch.id == first.batch.id


async def test_another_kind_of_creation_under_one_request_id(gateway: Gateway) -> None:
    answer = await gateway.batches.SubmitBatch(submission())
    failure = await refused(gateway.batches.CreateBatch(creation(answer.file.id)))
    assert failure.reason == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize("cut", [0, 20])
async def test_a_batch_without_a_whole_digest_is_compared_as_far_as_one_can_see(
    gateway: Gateway, account: Account, cut: int
) -> None:
    """One of before there were digests, or of a provider that cuts values off."""
    file_id = await uploaded(gateway)
    kept = f"id 1 #1:{'0' * 32}"[: 4 + cut]
    old = {
        "id": "batch_old",
        "endpoint": ENDPOINT,
        "input_file_id": file_id,
        "metadata": {KEY: kept},
        "status": "validating",
    }
    await account.fault(kind="answer", status=200, body={"data": [old]}, times=None, **LISTING)
    labelled = creation(file_id, metadata={"team": "blue"})
    assert (await gateway.batches.CreateBatch(labelled)).batch.id == "batch_old"
    answer = await gateway.batches.SubmitBatch(submission())
    assert answer.batch.id == "batch_old"
    for other in (creation("file-other"), creation(file_id, endpoint="/v1/responses")):
        failure = await refused(gateway.batches.CreateBatch(other))
        assert (failure.reason, failure.metadata["batch_id"]) == (
            "IDEMPOTENCY_KEY_REUSED",
            "batch_old",
        )


async def test_two_requests_at_once_under_one_request_id(
    gateway: Gateway, account: Account
) -> None:
    file_id = await uploaded(gateway)
    await account.fault(kind="delay", delay=0.3, **CREATING)
    first = asyncio.ensure_future(gateway.batches.CreateBatch(creation(file_id)))
    await arrived(account, "GET", "/batches")
    other = creation(file_id, metadata={"team": "blue"})
    failure = await refused(gateway.batches.CreateBatch(other))
    assert failure.reason == "IDEMPOTENCY_KEY_REUSED"
    assert failure.metadata["batch_id"] == (await first).batch.id
    assert len(await stored(account)) == 1


async def test_a_refusal_is_not_shared_with_who_asked_for_something_else(
    gateway: Gateway, account: Account
) -> None:
    file_id = await uploaded(gateway)
    await account.fault(kind="answer", status=400, delay=0.3, **CREATING)
    first = asyncio.ensure_future(refused(gateway.batches.CreateBatch(creation(file_id))))
    await arrived(account, "GET", "/batches")
    other = creation(file_id, metadata={"team": "blue"})
    assert (await gateway.batches.CreateBatch(other)).batch.id
    assert (await first).reason == "PROVIDER_REJECTED"


def listed(count: int, *, age: float, **more: Any) -> dict[str, Any]:
    """A page of a list: batches that were created so many seconds ago, and one a second before."""
    now = int(time.time())
    batches = [
        {"id": f"batch_{number}", "created_at": now - int(age) - number} for number in range(count)
    ]
    return {"data": batches, "has_more": True, **more}


async def looks(account: Account) -> int:
    return sum(
        one["method"] == "GET" and one["path"].endswith("/batches")
        for one in await account.requests()
    )


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        (listed(100, age=73 * 3600), 1),
        (listed(100, age=72 * 3600 - 50), 1),
        (listed(100, age=60 * 3600), 10),
        # What does not say how old it is, or does not have the newest first, tells nothing.
        ({"data": [{"id": f"batch_{n}"} for n in range(100)], "has_more": True}, 10),
        (listed(100, age=80 * 3600) | {"data": listed(100, age=80 * 3600)["data"][::-1]}, 10),
    ],
    ids=["all too old", "some too old", "young", "of no age", "oldest first"],
)
async def test_a_first_call_looks_back_for_as_long_as_an_id_counts(
    gateway: Gateway, account: Account, page: dict[str, Any], wanted: int
) -> None:
    file_id = await uploaded(gateway)
    pages = [
        {**page, "data": [{**b, "id": f"{b['id']}_{n}"} for b in page["data"]]} for n in range(10)
    ]
    for one in pages:
        await account.fault(kind="answer", status=200, body=one, **LISTING)
    await gateway.batches.CreateBatch(creation(file_id))
    assert await looks(account) == wanted


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
    assert len(batch["metadata"]) == 16
    assert keys([batch]) == [request_id]


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
