"""RetryBatch on every flavour of provider: what had no success again, and nothing else."""

import asyncio
import json
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_pb2, file_service_pb2
from batchgate.v1 import batch_service_pb2 as pb
from tests.conftest import PROFILES, Account, Gateway, OpenGateway
from tests.services.rows import (
    ENDPOINT,
    batch_count,
    created,
    done,
    ended,
    line,
    metadata_at,
    outcomes,
    quick_gateway,
)
from tests.status import Failure, failure_of


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    return await quick_gateway(account, open_gateway)


async def retry(gateway: Gateway, batch_id: str, **request: Any) -> pb.RetryBatchResponse:
    return await gateway.batches.RetryBatch(pb.RetryBatchRequest(batch_id=batch_id, **request))


async def refused(gateway: Gateway, batch_id: str, **request: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await retry(gateway, batch_id, **request)
    return failure_of(raised.value)


@pytest.mark.parametrize("provider", PROFILES)
async def test_round_after_round_until_all_succeed(
    account: Account, gateway: Gateway, provider: str
) -> None:
    lines = {
        "fine": line("fine"),
        "once": line("once", fail=500, times=1),
        "twice": line("twice", fail=429, times=2),
        "expired": line("expired", error="batch_expired", times=1),
    }
    content = b"".join(lines.values())
    first = await done(gateway, content, provider=provider, metadata={"team": "blue"})

    second = await retry(gateway, first.id, provider=provider)
    assert second.line_count == 3
    assert second.file.filename == f"retry-of-{first.id}.jsonl"
    assert second.file.purpose == "batch"
    assert second.batch.id != first.id
    assert second.batch.input_file_id == second.file.id
    assert second.batch.endpoint == ENDPOINT
    assert second.batch.completion_window == "24h"
    assert dict(second.batch.metadata) == {"team": "blue"}
    passed_on = await gateway.download(second.file.id, provider=provider)
    assert passed_on == lines["once"] + lines["twice"] + lines["expired"]

    await ended(gateway, second.batch.id, provider=provider)
    found = await outcomes(gateway, second.batch.id, provider=provider)
    assert found == {"once": True, "twice": False, "expired": True}

    third = await retry(gateway, second.batch.id, provider=provider, metadata={"round": "3"})
    assert third.line_count == 1
    assert dict(third.batch.metadata) == {"round": "3"}
    await ended(gateway, third.batch.id, provider=provider)
    assert await outcomes(gateway, third.batch.id, provider=provider) == {"twice": True}

    files = await account.file_ids(azure=provider != "openai")
    error = await refused(gateway, third.batch.id, provider=provider)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert "nothing is left to retry" in error.message
    assert await account.file_ids(azure=provider != "openai") == files


@pytest.mark.parametrize("provider", PROFILES)
async def test_only_what_failed_by_itself(gateway: Gateway, provider: str) -> None:
    content = (
        line("fine")
        + line("failed", fail=400)
        + line("broken", error="server_error")
        + line("expires", batch="expire")
        + line("later")
    )
    batch = await done(gateway, content, provider=provider)
    assert batch.status == batch_pb2.BATCH_STATUS_EXPIRED
    scope = pb.RETRY_SCOPE_FAILED_ONLY
    again = await retry(gateway, batch.id, provider=provider, scope=scope)
    assert again.line_count == 2
    passed_on = await gateway.download(again.file.id, provider=provider)
    assert passed_on == line("failed", fail=400) + line("broken", error="server_error")
    again = await retry(gateway, batch.id, provider=provider)
    assert again.line_count == 4


async def test_nothing_failed_by_itself(gateway: Gateway) -> None:
    batch = await done(gateway, line("a") + line("b", error="batch_expired"))
    error = await refused(gateway, batch.id, scope=pb.RETRY_SCOPE_FAILED_ONLY)
    assert error.reason == "PROVIDER_CONFLICT"
    assert "nothing is left to retry" in error.message


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_cancelled_batch(gateway: Gateway, provider: str) -> None:
    content = line("a") + line("b", batch="stall") + line("c")
    batch = await created(gateway, content, provider=provider)
    error = await refused(gateway, batch.id, provider=provider)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "BATCH_NOT_FINISHED")

    request = pb.WatchBatchRequest(provider=provider, batch_id=batch.id)
    async for seen in gateway.batches.WatchBatch(request):
        if seen.batch.request_counts.completed == 1:
            await gateway.batches.CancelBatch(
                pb.CancelBatchRequest(provider=provider, batch_id=batch.id)
            )
            break
    await ended(gateway, batch.id, provider=provider)
    again = await retry(gateway, batch.id, provider=provider)
    passed_on = await gateway.download(again.file.id, provider=provider)
    assert passed_on == line("b", batch="stall") + line("c")


async def test_a_batch_that_never_ran(gateway: Gateway) -> None:
    batch = await done(
        gateway, line("a") + line("b"), metadata={"sandbox_outcome": "token_limit_exceeded"}
    )
    assert batch.status == batch_pb2.BATCH_STATUS_FAILED
    again = await retry(gateway, batch.id, metadata={"second": "try"})
    assert again.line_count == 2
    await ended(gateway, again.batch.id)
    assert await outcomes(gateway, again.batch.id) == {"a": True, "b": True}


async def test_lines_are_passed_on_untouched(gateway: Gateway) -> None:
    wish = '"sandbox": {"fail": 500, "times": 1}'
    body = f'"body" : {{"model": "gpt-4o-mini", "messages": [], "n": 1.0e0, {wish}}}'
    lines = [
        f'{{ "method": "POST", "url": "{ENDPOINT}",{body}, "custom_id": "caf\\u00e9" }}\r\n',
        line("fine").decode(),
        f'{{"custom_id":"\\ud83d\\ude00","method":"POST","url":"{ENDPOINT}",{body}}}',
    ]
    batch = await done(gateway, "".join(lines).encode())
    again = await retry(gateway, batch.id)
    assert again.line_count == 2
    assert (await gateway.download(again.file.id)).decode() == f"{lines[0]}{lines[2]}\n"
    await ended(gateway, again.batch.id)
    assert await outcomes(gateway, again.batch.id) == {"café": True, "😀": True}


async def test_many_lines_in_many_pieces(gateway: Gateway) -> None:
    lines = [line(f"row-{n}", fail=400 if n % 3 == 0 else None) for n in range(5000)]
    batch = await done(gateway, b"".join(lines))
    again = await retry(gateway, batch.id)
    assert again.line_count == 1667
    assert await gateway.download(again.file.id) == b"".join(lines[::3])


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("input_file_id", "input file"),
        ("output_file_id", "output file"),
        ("error_file_id", "error"),
    ],
)
@pytest.mark.parametrize("provider", PROFILES)
async def test_a_file_that_is_gone(
    account: Account, gateway: Gateway, provider: str, gone: str, said: str
) -> None:
    batch = await done(gateway, line("a") + line("b", fail=400), provider=provider)
    await gateway.files.DeleteFile(
        file_service_pb2.DeleteFileRequest(provider=provider, file_id=getattr(batch, gone))
    )
    files = await account.file_ids(azure=provider != "openai")
    error = await refused(gateway, batch.id, provider=provider)
    assert (error.code, error.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert f"the {said}" in error.message
    assert f"{getattr(batch, gone)}, is gone" in error.message
    assert await account.file_ids(azure=provider != "openai") == files


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_creation_that_fails_leaves_no_file(
    account: Account, gateway: Gateway, provider: str
) -> None:
    batch = await done(gateway, line("a", fail=400), provider=provider)
    files = await account.file_ids(azure=provider != "openai")
    await account.fault(kind="answer", method="POST", path="*/batches", status=400)
    error = await refused(gateway, batch.id, provider=provider)
    assert error.reason == "PROVIDER_REJECTED"
    assert "the uploaded file was deleted again" in error.message
    assert await account.file_ids(azure=provider != "openai") == files


@pytest.mark.parametrize("which", ["input_file_id", "error_file_id"])
async def test_a_file_that_is_cut_off_makes_no_batch(
    account: Account, gateway: Gateway, which: str
) -> None:
    lines = [line(f"row-{number}", text="x" * 1000, fail=400) for number in range(500)]
    batch = await done(gateway, b"".join(lines))
    files = await account.file_ids()
    await account.fault(kind="cut", path=f"*/{getattr(batch, which)}/content", times=None)
    error = await refused(gateway, batch.id)
    assert (error.code, error.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert await account.file_ids() == files
    assert await batch_count(account) == 1
    await account.mend()
    again = await retry(gateway, batch.id)
    assert again.line_count == 500


async def test_a_request_id_makes_one_batch(
    account: Account, gateway: Gateway, open_gateway: OpenGateway
) -> None:
    batch = await done(gateway, line("a", fail=400), metadata={"team": "blue"})
    answers = await asyncio.gather(
        *(retry(gateway, batch.id, request_id="again-1") for _ in range(20))
    )
    other = await quick_gateway(account, open_gateway)
    answers.append(await retry(other, batch.id, request_id="again-1"))
    assert len({answer.batch.id for answer in answers}) == 1
    assert await batch_count(account) == 2
    assert sorted(answer.line_count for answer in answers) == [0] * 20 + [1]
    assert sum(answer.HasField("file") for answer in answers) == 1
    assert all(dict(answer.batch.metadata) == {"team": "blue"} for answer in answers)
    kept = await metadata_at(account, answers[0].batch.id)
    assert kept.pop("batchgate_request_id").startswith("again-1 #1:")
    assert kept == {
        "team": "blue",
        "batchgate_retry_of": batch.id,
    }

    # The retry has a request_id of its own: it is not taken over by a retry of the retry.
    child = await ended(gateway, answers[0].batch.id)
    grandchild = await retry(gateway, child.id)
    assert await metadata_at(account, grandchild.batch.id) == {
        "team": "blue",
        "batchgate_retry_of": child.id,
    }


async def test_a_request_id_of_another_batch(gateway: Gateway) -> None:
    batch = await done(gateway, line("a", fail=400))
    other = await done(gateway, line("a", fail=400), request_id="taken-1")
    await retry(gateway, other.id, request_id="taken-2")
    for request_id in ("taken-1", "taken-2"):
        error = await refused(gateway, batch.id, request_id=request_id)
        assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")
        assert error.metadata["batch_id"]


@pytest.mark.parametrize(
    "change",
    [
        {"scope": pb.RETRY_SCOPE_FAILED_ONLY},
        {"metadata": {"team": "red"}},
        {"completion_window": "24h"},
    ],
    ids=",".join,
)
async def test_a_request_id_of_another_retry(gateway: Gateway, change: dict[str, Any]) -> None:
    batch = await done(gateway, line("a", fail=400))
    first = await retry(gateway, batch.id, request_id="again", scope=pb.RETRY_SCOPE_UNSUCCESSFUL)
    same = await retry(gateway, batch.id, request_id="again")
    assert same.batch.id == first.batch.id
    error = await refused(gateway, batch.id, request_id="again", **change)
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_KEY_REUSED")
    assert error.metadata["batch_id"] == first.batch.id


async def test_full_metadata_has_no_room_for_more(account: Account, gateway: Gateway) -> None:
    full = {f"key-{number}": "x" for number in range(16)}
    batch = await done(gateway, line("a", fail=400), metadata=full)
    again = await retry(gateway, batch.id)
    assert dict(again.batch.metadata) == await metadata_at(account, again.batch.id) == full
    error = await refused(gateway, batch.id, request_id="one-more")
    assert error.fields.keys() == {"metadata"}
    assert f"must be given, with at most 15 pairs: those of {batch.id} fill all 16" in error.message
    error = await refused(gateway, batch.id, metadata=full, request_id="one-more")
    assert error.fields.keys() == {"metadata"}
    # Fifteen leave room for the request_id, which counts for more.
    full.popitem()
    again = await retry(gateway, batch.id, metadata=full, request_id="one-more")
    assert dict(again.batch.metadata) == full
    same = await retry(gateway, batch.id, metadata=full, request_id="one-more")
    assert same.batch.id == again.batch.id


async def test_what_is_asked_for_wrongly(account: Account, gateway: Gateway) -> None:
    wrong: dict[str, dict[str, Any]] = {
        "batch_id": {"batch_id": ""},
        "scope": {"scope": 9},
        "completion_window": {"completion_window": "2 days"},
        "metadata": {"metadata": {"batchgate_retry_of": "x"}},
        "request_id": {"request_id": "é"},
    }
    for field, request in wrong.items():
        error = await refused(gateway, **{"batch_id": "batch_1", **request})
        assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert error.fields.keys() == {field}
    assert await account.requests() == []
    error = await refused(gateway, "batch_unknown")
    assert (error.code, error.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")


async def test_a_completion_window_of_its_own(gateway: Gateway) -> None:
    batch = await done(gateway, line("a", fail=400))
    error = await refused(gateway, batch.id, completion_window="7d")
    assert error.reason == "PROVIDER_REJECTED"
    assert error.metadata["provider_param"] == "completion_window"


async def test_an_id_is_compared_as_it_is_meant(gateway: Gateway) -> None:
    ids = ["a", "A", " a", "a\t", "0", "ä", "a\u0308", "\\", '"', "x" * 500]
    lines = [json.dumps(json.loads(line(one, fail=400))).encode() + b"\n" for one in ids]
    batch = await done(gateway, b"".join([line("fine"), *lines]))
    again = await retry(gateway, batch.id)
    assert await gateway.download(again.file.id) == b"".join(lines)
