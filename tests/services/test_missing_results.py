"""Batches whose counts say more than their files hold: never a success, and never paid for again."""

import json
from typing import Any

import grpc
import httpx
import pytest

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1.file_service_pb2 import DeleteFileRequest
from batchgate_server.batches import results as results_module
from batchgate_server.batches import retrying
from tests.conftest import Account, Gateway, OpenGateway
from tests.services.rows import batch_count, done, ended, line, outcomes, quick_gateway, results
from tests.status import Failure, failure_of

THREE = line("r1") + line("r2") + line("r3")
COUNTS = {"total": 3, "completed": 3, "failed": 0}
NAMELESS = {"output_file_id": None, "error_file_id": None, "request_counts": COUNTS}


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    return await quick_gateway(account, open_gateway)


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_module, "STREAM_PAUSES", (0.01,) * 7)
    monkeypatch.setattr(retrying, "UNARY_PAUSES", (0.01,) * 4)


async def shown(account: Account, batch_id: str, *, times: int | None, **changes: Any) -> None:
    """Let the sandbox show a batch otherwise than it is, so many times."""
    async with httpx.AsyncClient() as client:
        url = f"{account.url}/v1/batches/{batch_id}"
        batch = (await client.get(url, headers={"authorization": f"Bearer {account.key}"})).json()
    await account.fault(
        kind="answer",
        method="GET",
        path=f"/v1/batches/{batch_id}",
        status=200,
        body={**batch, **changes},
        times=times,
    )


async def content_is(account: Account, file_id: str, *lines: Any) -> None:
    """Let the sandbox answer a file's content with these lines."""
    text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    await account.fault(
        kind="answer",
        method="GET",
        path=f"/v1/files/{file_id}/content",
        status=200,
        body=text,
        times=None,
    )


def answered(custom_id: str, body: object = None, status: int = 200) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "q", "body": body or {"model": "m"}}
    return {"id": "x", "custom_id": custom_id, "response": response, "error": None}


async def broken(gateway: Gateway, batch_id: str, **request: Any) -> tuple[list[str], Failure]:
    """The rows that came before the error."""
    rows: list[str] = []
    asked = pb.StreamBatchResultsRequest(batch_id=batch_id, **request)

    async def read() -> None:
        async for message in gateway.batches.StreamBatchResults(asked):
            rows.extend(row.custom_id for row in message.results)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await read()
    return rows, failure_of(raised.value)


async def retry_refused(gateway: Gateway, batch_id: str) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.batches.RetryBatch(pb.RetryBatchRequest(batch_id=batch_id))
    return failure_of(raised.value)


async def test_files_that_are_named_late_are_waited_for(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=3, **NAMELESS)
    assert await outcomes(gateway, batch.id) == {"r1": True, "r2": True, "r3": True}


async def test_files_that_are_never_named_are_missing_results(
    account: Account, gateway: Gateway
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, **NAMELESS)
    rows, error = await broken(gateway, batch.id)
    assert rows == []
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "RESULTS_MISSING")
    assert "3 requests done" in error.message
    assert error.retry_seconds


async def test_a_batch_that_ended_long_ago_is_not_waited_for(
    account: Account, gateway: Gateway
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, completed_at=1_700_000_000, **NAMELESS)
    before = len(await account.requests())
    _, error = await broken(gateway, batch.id)
    assert error.reason == "RESULTS_MISSING"
    assert error.retry_seconds is None
    assert len(await account.requests()) == before + 1


async def test_a_batch_whose_end_is_not_known_is_waited_for_once(
    account: Account, gateway: Gateway
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=3, completed_at=None, **NAMELESS)
    assert len(await results(gateway, batch.id)) == 3
    await shown(account, batch.id, times=None, completed_at=None, **NAMELESS)
    _, error = await broken(gateway, batch.id)
    assert (error.reason, error.retry_seconds) == ("RESULTS_MISSING", None)


async def test_nothing_is_tried_again_while_results_are_missing(
    account: Account, gateway: Gateway
) -> None:
    """What has succeeded would be sent, and paid for, once more."""
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, **NAMELESS)
    files, batches = await account.file_ids(), await batch_count(account)
    error = await retry_refused(gateway, batch.id)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "RESULTS_MISSING")
    assert await account.file_ids() == files
    assert await batch_count(account) == batches


async def test_a_retry_waits_a_moment_for_the_files(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=2, **NAMELESS)
    error = await retry_refused(gateway, batch.id)
    assert error.reason == "PROVIDER_CONFLICT"
    assert "every line" in error.message


@pytest.mark.parametrize("empty", ["", "\n"])
async def test_an_output_file_without_rows_is_not_a_success(
    account: Account, gateway: Gateway, empty: str
) -> None:
    batch = await done(gateway, THREE)
    await content_is(account, batch.output_file_id, empty)
    _, error = await broken(gateway, batch.id)
    assert error.reason == "RESULTS_MISSING"
    assert (await retry_refused(gateway, batch.id)).reason == "RESULTS_MISSING"


async def test_requests_in_neither_file_are_named(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    await content_is(account, batch.output_file_id, answered("r3"), answered("r1"))
    rows = await results(gateway, batch.id)
    assert [(row.custom_id, row.succeeded) for row in rows] == [
        ("r3", True),
        ("r1", True),
        ("r2", False),
    ]
    assert rows[-1].error.code == "missing_result"
    assert rows[-1].line == 2
    assert await outcomes(gateway, batch.id, filter=pb.RESULT_FILTER_FAILED) == {"r2": False}
    assert "r2" not in await outcomes(gateway, batch.id, filter=pb.RESULT_FILTER_SUCCEEDED)

    new = await gateway.batches.RetryBatch(pb.RetryBatchRequest(batch_id=batch.id))
    assert new.line_count == 1
    await ended(gateway, new.batch.id)
    assert await outcomes(gateway, new.batch.id) == {"r2": True}


async def test_naming_goes_on_behind_any_message(
    account: Account, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await done(gateway, b"".join(line(f"r{number}") for number in range(6)))
    monkeypatch.setattr(results_module, "PACE", results_module.Pace(message_bytes=1))
    await content_is(account, batch.output_file_id, answered("r4"), answered("r1"))
    request = pb.StreamBatchResultsRequest(batch_id=batch.id)
    messages = [one async for one in gateway.batches.StreamBatchResults(request)]
    whole = [row.custom_id for one in messages for row in one.results]
    assert whole == ["r4", "r1", "r0", "r2", "r3", "r5"]
    for number, message in enumerate(messages, 1):
        rest = await results(gateway, batch.id, resume_token=message.resume_token)
        behind = [row.custom_id for one in messages[number:] for row in one.results]
        assert [row.custom_id for row in rest] == behind


async def test_counts_that_are_wrong_name_nobody(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    counts = {"total": 9, "completed": 9, "failed": 0}
    await shown(account, batch.id, times=None, request_counts=counts)
    assert await outcomes(gateway, batch.id) == {"r1": True, "r2": True, "r3": True}


async def test_without_an_input_file_they_are_counted(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    await content_is(account, batch.output_file_id, answered("r3"))
    await gateway.files.DeleteFile(DeleteFileRequest(file_id=batch.input_file_id))
    rows, error = await broken(gateway, batch.id)
    assert rows == ["r3"]
    assert error.reason == "RESULTS_MISSING"
    assert "2 of 3 requests" in error.message


@pytest.mark.parametrize("counts", [None, {}, {"total": None, "completed": None, "failed": None}])
async def test_a_provider_without_counts_is_believed(
    account: Account, gateway: Gateway, counts: object
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, **{**NAMELESS, "request_counts": counts})
    assert await results(gateway, batch.id) == []


async def test_a_status_of_zero_is_no_success(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    await content_is(
        account,
        batch.output_file_id,
        answered("r1"),
        {"id": "x", "custom_id": "r2", "response": {"status_code": 0, "body": {}}, "error": None},
        answered("r3"),
    )
    assert await outcomes(gateway, batch.id) == {"r1": True, "r2": False, "r3": True}


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled"])
async def test_a_responses_body_that_failed_is_no_success(
    account: Account, gateway: Gateway, status: str
) -> None:
    batch = await done(gateway, THREE)
    body = {"object": "response", "status": status, "error": {"code": "server_error"}, "model": "m"}
    await content_is(
        account,
        batch.output_file_id,
        answered("r1", {**body, "status": "completed"}),
        answered("r2", body),
        answered("r3", json.dumps(body)),
    )
    expected = {"r1": True, "r2": False, "r3": False}
    assert await outcomes(gateway, batch.id) == expected
    failed = {key: value for key, value in expected.items() if not value}
    assert await outcomes(gateway, batch.id, filter=pb.RESULT_FILTER_FAILED) == failed
    for scope in (pb.RETRY_SCOPE_UNSUCCESSFUL, pb.RETRY_SCOPE_FAILED_ONLY):
        request = pb.RetryBatchRequest(batch_id=batch.id, scope=scope)
        assert (await gateway.batches.RetryBatch(request)).line_count == 2


async def test_an_output_file_that_is_not_visible_at_once(
    account: Account, gateway: Gateway
) -> None:
    batch = await done(gateway, THREE)
    path = f"/v1/files/{batch.output_file_id}/content"
    await account.fault(kind="answer", method="GET", path=path, status=404, times=1)
    assert len(await results(gateway, batch.id)) == 3


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("succeeded", batch_pb2.BATCH_STATUS_COMPLETED),
        ("SUCCESS", batch_pb2.BATCH_STATUS_COMPLETED),
        ("TIMEOUT_EXCEEDED", batch_pb2.BATCH_STATUS_EXPIRED),
        ("canceled", batch_pb2.BATCH_STATUS_CANCELLED),
    ],
)
async def test_words_that_mean_an_end(
    account: Account, gateway: Gateway, word: str, status: int
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, status=word)
    waited = await gateway.batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
    assert waited.done
    assert (waited.batch.status, waited.batch.status_text) == (status, word)
    assert len(await results(gateway, batch.id)) == 3


@pytest.mark.parametrize("word", ["queued", "running"])
async def test_words_that_mean_work(account: Account, gateway: Gateway, word: str) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=1, status=word)
    _, error = await broken(gateway, batch.id)
    assert error.reason == "BATCH_NOT_FINISHED"


@pytest.mark.parametrize(
    ("errors", "messages"),
    [
        (["line 3: not JSON", "line 4: no"], ["line 3: not JSON", "line 4: no"]),
        ("all is wrong", ["all is wrong"]),
        ({"data": ["one"]}, ["one"]),
        ({"data": [{"error": {"message": "deep", "code": 400}}]}, ["deep"]),
        ([{"detail": "elsewhere"}], ["elsewhere"]),
    ],
)
async def test_reasons_of_a_batch_in_other_forms(
    account: Account, gateway: Gateway, errors: object, messages: list[str]
) -> None:
    batch = await done(gateway, THREE)
    await shown(account, batch.id, times=None, status="failed", errors=errors)
    answer = await gateway.batches.GetBatch(pb.GetBatchRequest(batch_id=batch.id))
    assert [error.message for error in answer.batch.errors] == messages


NO_URL = "URL not supported"


@pytest.mark.parametrize(
    ("outcome", "code", "message"),
    [
        ({"response": {"status_code": 400, "body": None}, "error": NO_URL}, "400", NO_URL),
        ({"response": {"status_code": 400, "body": None}, "error": {"message": "m"}}, "400", "m"),
        ({"error": {"error": {"message": "too long", "code": 400}}}, "400", "too long"),
        ({"response": None, "error": {"code": 400, "message": "flat"}}, "400", "flat"),
        ({"response": None, "error": {"message": "m", "type": "t", "more": 1}}, "", "m"),
        ({"response": None, "error": ["e1", {"msg": "e2"}]}, "", "e1; e2"),
        ({"response": None, "error": {"reasons": [1]}}, "", '{"reasons": [1]}'),
        ({"error": "words"}, "", "words"),
    ],
)
async def test_reasons_of_a_row_in_other_forms(
    account: Account, gateway: Gateway, outcome: dict[str, Any], code: str, message: str
) -> None:
    batch = await done(gateway, THREE)
    faulty = {"id": "x", "custom_id": "r2", **outcome}
    await content_is(account, batch.output_file_id, answered("r1"), faulty, answered("r3"))
    row = (await results(gateway, batch.id, filter=pb.RESULT_FILTER_FAILED))[0]
    assert (row.custom_id, row.succeeded) == ("r2", False)
    assert (row.error.code, row.error.message) == (code, message)
    request = pb.RetryBatchRequest(batch_id=batch.id, scope=pb.RETRY_SCOPE_FAILED_ONLY)
    assert (await gateway.batches.RetryBatch(request)).line_count == 1


async def test_a_body_that_is_a_json_text(account: Account, gateway: Gateway) -> None:
    batch = await done(gateway, THREE)
    body = json.dumps({"model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 4}})
    rows = [answered(custom_id, body) for custom_id in ("r1", "r2", "r3")]
    await content_is(account, batch.output_file_id, *rows)
    for row in await results(gateway, batch.id):
        assert json.loads(row.response.body_json) == body
        assert (row.succeeded, row.model, row.usage.input_tokens) == (True, "m", 3)
