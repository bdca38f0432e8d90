"""Batches by the Python client, from rows or files to results, retries and the end of a watch."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client.errors import (
    BatchNotFinished,
    Cancelled,
    InvalidJsonl,
    ProviderConflict,
    ProviderNotFound,
)
from tests.clients.python.conftest import Open
from tests.conftest import Account, Gateway

ENDPOINT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Grüße"}]}
COMPLETED = batch_pb2.BATCH_STATUS_COMPLETED


def rows(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"custom_id": f"row-{number}", "body": BODY}


async def submitted(client: Any, count: int = 3, **metadata: str) -> batch_pb2.Batch:
    response = await client.submit_batch(
        rows(count), endpoint=ENDPOINT, model="gpt-4o-mini", metadata=metadata
    )
    return response.batch  # type: ignore[no-any-return]


async def test_a_file_becomes_a_batch_that_is_watched_to_its_results(client: Any) -> None:
    line = {"custom_id": "one", "method": "POST", "url": ENDPOINT, "body": {"model": "m", **BODY}}
    file = (await client.upload_file(json.dumps(line).encode())).file
    created = [
        await client.create_batch(
            file.id, endpoint=ENDPOINT, metadata={"team": "blue"}, request_id="once"
        )
        for _ in range(2)
    ]
    batch = created[0]
    assert created[1].id == batch.id
    news = [one async for one in client.watch_batch(batch.id)]
    assert news[0].event == pb.WATCH_EVENT_SNAPSHOT
    assert news[-1].batch.status == COMPLETED
    assert (await client.get_batch(batch.id)).metadata == {"team": "blue"}
    results = [one async for one in client.results(batch.id)]
    assert [(one.custom_id, one.succeeded) for one in results] == [("one", True)]


async def test_rows_of_every_form_become_a_batch(client: Any, kind: str) -> None:
    given: list[Any] = [
        {"custom_id": "object", "body": BODY},
        {"custom_id": "text", "body": json.dumps(BODY)},
        pb.BatchLine(custom_id="message", body_json=json.dumps(BODY)),
    ]

    async def later() -> AsyncIterator[Any]:
        for one in given:
            yield one

    many = later() if kind == "async" else iter(given)
    response = await client.submit_batch(
        many, endpoint=ENDPOINT, model="gpt-4o-mini", request_id="rows", input_expires_after=7200
    )
    assert response.report.line_count == 3
    waited = await client.wait_batch(response.batch.id, seconds=20)
    assert waited.done
    assert waited.batch.status == COMPLETED
    found = {one.custom_id async for one in client.results(response.batch.id)}
    assert found == {"object", "text", "message"}


@pytest.mark.parametrize(
    "row", [{"custom_id": "one"}, {"custom_id": "one", "body": BODY, "url": ENDPOINT}, {}]
)
async def test_a_row_of_another_form_is_told_and_nothing_is_created(
    client: Any, account: Account, row: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="custom_id and body"):
        await client.submit_batch([*rows(2), row], endpoint=ENDPOINT, model="gpt-4o-mini")
    assert await account.file_ids() == []


@pytest.mark.parametrize(
    ("custom_id", "said"),
    [
        (float("nan"), "a string or an integer, not nan"),
        (None, "a string or an integer, not None"),
        (7.0, "a string or an integer, not 7.0"),
        (True, "a string or an integer, not True"),
        ("", "custom_id is empty"),
    ],
)
async def test_an_id_that_is_none_is_refused_here(
    client: Any, account: Account, custom_id: object, said: str
) -> None:
    rows_ = [{"custom_id": "a", "body": BODY}, {"custom_id": custom_id, "body": BODY}]
    with pytest.raises((TypeError, ValueError), match=said):
        await client.submit_batch(rows_, endpoint=ENDPOINT)
    assert await account.file_ids() == []


async def test_a_body_with_a_nan_is_refused_here(client: Any, account: Account) -> None:
    row = {"custom_id": "a", "body": {**BODY, "temperature": float("nan")}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        await client.submit_batch([row], endpoint=ENDPOINT)
    assert await account.file_ids() == []


async def test_faulty_rows_come_one_by_one(client: Any) -> None:
    with pytest.raises(InvalidJsonl) as caught:
        await client.submit_batch(
            [{"custom_id": "a", "body": "[]"}, {"custom_id": "b", "body": "{"}], endpoint=ENDPOINT
        )
    assert len(caught.value.violations) == 2


async def test_results_go_on_by_their_token(client: Any) -> None:
    batch = await submitted(client, 3000)
    begun = client.results(batch.id, wait_until_done=True)
    assert begun.resume_token == ""
    first: list[str] = []
    async for message in begun.messages():
        first += [one.custom_id for one in message.results]
        if first:
            break
    token = begun.resume_token
    rest = client.results(batch.id, resume_token=token)
    others = [one.custom_id async for one in rest]
    assert 0 < len(first) < 3000
    assert sorted(first + others) == sorted(f"row-{number}" for number in range(3000))
    assert rest.resume_token not in {"", token}


async def test_the_token_is_that_of_rows_that_were_all_given_out(client: Any) -> None:
    batch = await submitted(client, 3000)
    results = client.results(batch.id, wait_until_done=True)
    tokens = [results.resume_token async for _ in results]
    turn = next(number for number, token in enumerate(tokens) if token)
    again = client.results(batch.id, resume_token=tokens[turn])
    assert len([one async for one in again]) == 3000 - turn - 1


async def test_what_failed_is_retried(client: Any) -> None:
    trouble = {"custom_id": "late", "body": {**BODY, "sandbox": {"fail": 503, "times": 1}}}
    response = await client.submit_batch(
        [*rows(2), trouble], endpoint=ENDPOINT, model="gpt-4o-mini"
    )
    batch = response.batch
    wanted = client.results(batch.id, wait_until_done=True, filter=pb.RESULT_FILTER_FAILED)
    assert [one.custom_id async for one in wanted] == ["late"]
    retried = await client.retry_batch(batch.id, scope=pb.RETRY_SCOPE_FAILED_ONLY)
    assert retried.line_count == 1
    results = client.results(retried.batch.id, wait_until_done=True)
    assert [one.succeeded async for one in results] == [True]
    with pytest.raises(ProviderConflict):
        await client.retry_batch(retried.batch.id)


async def test_a_batch_is_cancelled_and_has_no_results_before(client: Any) -> None:
    batch = await submitted(client, sandbox_outcome="stalled")
    with pytest.raises(BatchNotFinished):
        [one async for one in client.results(batch.id)]
    assert not (await client.wait_batch(batch.id, seconds=0.05)).done
    await client.cancel_batch(batch.id)
    news = [one async for one in client.watch_batch(batch.id)]
    assert news[-1].batch.status == batch_pb2.BATCH_STATUS_CANCELLED


async def test_batches_are_listed_over_all_pages(client: Any) -> None:
    ids = {(await submitted(client, 1)).id for _ in range(3)}
    assert {one.id async for one in client.list_batches(page_size=1)} == ids
    with pytest.raises(ProviderNotFound):
        await client.get_batch("batch_none")


async def test_a_watch_ends_with_its_client(
    open_client: Open, gateway: Gateway, client: Any, kind: str
) -> None:
    if kind == "async":
        pytest.skip("for the sync client: tasks are cancelled by themselves")
    batch = await submitted(client, sandbox_outcome="stalled")
    other = open_client(gateway.address)

    async def watched() -> None:
        async for _ in other.watch_batch(batch.id):
            await other.close()

    with pytest.raises(Cancelled):
        await watched()
