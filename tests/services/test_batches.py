"""Batches as callers see them, on every flavour of provider."""

import json
from typing import Any

import httpx
import pytest
from google.protobuf.duration_pb2 import Duration

from batchgate.v1 import batch_pb2, batch_service_pb2, file_service_pb2
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles, tls
from tests.services.calls import call, failed
from tests.services.lines import ENDPOINT, create, finished, get, lines, until

AZURE = [name for name in PROFILES if name != "openai"]
DAY = 24 * 3600


async def stored(account: Account, provider: str, batch_id: str) -> dict[str, Any]:
    """The batch as the provider itself shows it."""
    base, headers = (
        ("/v1", {"authorization": f"Bearer {account.key}"})
        if provider == "openai"
        else ("/openai/v1", {"api-key": account.key})
    )
    async with httpx.AsyncClient(verify=tls()) as client:
        answer = await client.get(f"{account.url}{base}/batches/{batch_id}", headers=headers)
        document: dict[str, Any] = answer.json()
        return document


async def creations(account: Account) -> list[str]:
    """What was sent to create a batch or to look at its input file, uploads aside."""
    return [
        f"{each['method']} {each['path'].rpartition('/openai')[2].removeprefix('/v1')}"
        for each in await account.requests()
        if not (each["method"] == "POST" and each["path"].endswith("/files"))
    ]


# Metadata


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"team": "blue"},
        {"empty": "", "größe": "naïve \N{GRINNING FACE}", "line": "a\nb"},
        {f"key-{number}": "v" * 512 for number in range(16)},
    ],
    ids=["none", "one", "strange", "sixteen"],
)
async def test_metadata_passes_unchanged(
    account: Account, gateway: Gateway, provider: str, metadata: dict[str, str]
) -> None:
    """Metadata absent, of any text, and of 16 pairs: unchanged, and nothing injected."""
    batch = await create(gateway, provider, metadata=metadata)
    assert dict(batch.metadata) == metadata
    assert dict((await get(gateway, batch)).metadata) == metadata
    assert ((await stored(account, provider, batch.id))["metadata"] or {}) == metadata


async def test_seventeen_pairs_are_the_providers_to_refuse(
    account: Account, gateway: Gateway
) -> None:
    file = (await gateway.upload(lines(1))).file
    metadata = {f"key-{number}": "v" for number in range(17)}
    failure = await failed(gateway, "CreateBatch", input_file_id=file.id, metadata=metadata)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
    assert list(failure.fields) == ["metadata"]
    assert "at most 16" in failure.fields["metadata"]


# Ends


@pytest.mark.parametrize("provider", PROFILES)
async def test_cancelling_a_finished_batch(gateway: Gateway, provider: str) -> None:
    """Cancel of a finished batch: a clear FAILED_PRECONDITION, and the batch unchanged."""
    batch = await finished(gateway, await create(gateway, provider))
    failure = await failed(gateway, "CancelBatch", provider=provider, batch_id=batch.id)
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert "completed" in failure.message
    assert failure.metadata["http_status"] == "409"
    assert failure.retry_seconds is None
    assert await get(gateway, batch) == batch


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_cancelled_batch_keeps_what_was_done(gateway: Gateway, provider: str) -> None:
    """A cancelled batch with paid, partial output: the results are reachable."""
    batch = await create(gateway, provider, metadata={"sandbox_outcome": "stalled"})
    await until(gateway, batch, lambda batch: batch.request_counts.completed == 2)
    answer = await call(gateway, "CancelBatch", provider=provider, batch_id=batch.id)
    assert answer.batch.status == batch_pb2.BATCH_STATUS_CANCELLING
    assert answer.batch.HasField("cancelling_at")
    assert not answer.batch.HasField("cancelled_at")

    batch = await finished(gateway, batch)
    assert batch.status == batch_pb2.BATCH_STATUS_CANCELLED
    assert batch.HasField("cancelled_at")
    assert batch.request_counts == batch_pb2.BatchRequestCounts(total=4, completed=2, failed=0)
    assert len((await gateway.download(batch.output_file_id, provider=provider)).splitlines()) == 2


@pytest.mark.parametrize("provider", PROFILES)
async def test_an_expired_batch_keeps_what_was_done(gateway: Gateway, provider: str) -> None:
    """An expired batch with paid, partial output: the results are reachable."""
    batch = await create(gateway, provider, metadata={"sandbox_outcome": "expired"})
    batch = await finished(gateway, batch)
    assert batch.status == batch_pb2.BATCH_STATUS_EXPIRED
    assert batch.status_text == "expired"
    assert batch.HasField("expired_at")
    assert not batch.HasField("completed_at")
    assert batch.request_counts == batch_pb2.BatchRequestCounts(total=4, completed=2, failed=2)
    for file_id in (batch.output_file_id, batch.error_file_id):
        assert len((await gateway.download(file_id, provider=provider)).splitlines()) == 2


@pytest.mark.parametrize("provider", PROFILES)
async def test_completed_with_only_an_error_file(gateway: Gateway, provider: str) -> None:
    """`completed` without an output file: its id is null or empty upstream, and empty here."""
    content = lines(2, model="sandbox-fail-429")
    batch = await finished(gateway, await create(gateway, provider, content))
    assert batch.status == batch_pb2.BATCH_STATUS_COMPLETED
    assert batch.request_counts == batch_pb2.BatchRequestCounts(total=2, completed=0, failed=2)
    assert batch.output_file_id == ""
    failures = (await gateway.download(batch.error_file_id, provider=provider)).splitlines()
    assert {json.loads(line)["response"]["status_code"] for line in failures} == {429}


@pytest.mark.parametrize("provider", PROFILES)
async def test_completed_without_failures(gateway: Gateway, provider: str) -> None:
    """`completed` on Azure OpenAI with an error file of 0 bytes; on OpenAI without one."""
    batch = await finished(gateway, await create(gateway, provider))
    if provider == "openai":
        assert batch.error_file_id == ""
        return
    assert await gateway.download(batch.error_file_id, provider=provider) == b""
    answer = await call(gateway, "GetFile", provider=provider, file_id=batch.error_file_id)
    assert answer.file.size_bytes == 0
    assert answer.file.HasField("size_bytes")


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_failed_batch_says_why_and_where(gateway: Gateway, provider: str) -> None:
    """The line of a fault is a number, although Azure OpenAI's dated editions write a text."""
    batch = await finished(gateway, await create(gateway, provider, lines(1) + b"{oops\n"))
    assert batch.status == batch_pb2.BATCH_STATUS_FAILED
    assert batch.HasField("failed_at")
    assert [(error.code, error.line) for error in batch.errors] == [("invalid_json_line", 2)]
    assert batch.errors[0].message
    assert (batch.output_file_id, batch.error_file_id) == ("", "")


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_fault_of_no_line_has_none(gateway: Gateway, provider: str) -> None:
    batch = await create(gateway, provider, metadata={"sandbox_outcome": "failed"})
    (error,) = (await finished(gateway, batch)).errors
    assert error.code == "invalid_request"
    assert not error.HasField("line")


@pytest.mark.parametrize("provider", PROFILES)
async def test_what_a_finished_batch_tells(gateway: Gateway, provider: str) -> None:
    batch = await finished(gateway, await create(gateway, provider))
    assert batch.provider == provider
    assert batch.endpoint == ENDPOINT
    assert batch.completion_window == "24h"
    assert batch.input_file_id
    order = [
        getattr(batch, f"{name}_at").seconds
        for name in ("created", "in_progress", "finalizing", "completed", "expires")
    ]
    assert order == sorted(order)
    assert order[0] > 1_700_000_000
    for name in ("failed", "expired", "cancelling", "cancelled"):
        assert getattr(batch, f"{name}_at").seconds == 0
    # The dated editions of Azure OpenAI tell neither.
    told = provider in {"openai", "azure"}
    assert batch.HasField("usage") == told
    assert batch.model == ("gpt-4o-mini" if told else "")
    if told:
        usage = batch.usage
        assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 0


async def test_too_many_tokens_fail_at_once_on_azure_openai(gateway: Gateway) -> None:
    """Azure OpenAI's `token_limit_exceeded` as a 400 on creation."""
    for provider in AZURE:
        file = (await gateway.upload(lines(1), provider=provider)).file
        metadata = {"sandbox_outcome": "token_limit_exceeded"}
        failure = await failed(
            gateway, "CreateBatch", provider=provider, input_file_id=file.id, metadata=metadata
        )
        assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "PROVIDER_TOKEN_LIMIT")
        assert failure.retry_seconds == 5


# The input file


@pytest.mark.parametrize("provider", AZURE)
async def test_a_pending_file_is_waited_for(
    account: Account, gateway: Gateway, provider: str
) -> None:
    """A file that is `pending` right after its upload: the creation waits instead of failing."""
    await account.settings(file_pending_seconds=0.4)
    batch = await create(gateway, provider)
    assert batch.status == batch_pb2.BATCH_STATUS_VALIDATING
    sent = await creations(account)
    assert sent[-1] == "POST /batches"
    assert len(sent) > 2
    assert set(sent[:-1]) == {f"GET /files/{batch.input_file_id}"}


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_file_not_found_for_a_moment_is_waited_for(
    account: Account, gateway: Gateway, provider: str
) -> None:
    """A valid id that is "not found" right after the upload: the creation waits, and is one."""
    path = "*/batches" if provider == "openai" else "*/files/*"
    await account.fault(kind="answer", status=404, path=path, times=2)
    batch = await create(gateway, provider)
    listed = await call(gateway, "ListBatches", provider=provider)
    assert [each.id for each in listed.batches] == [batch.id]


@pytest.mark.parametrize("provider", AZURE)
async def test_a_file_that_is_not_there(account: Account, gateway: Gateway, provider: str) -> None:
    failure = await failed(gateway, "CreateBatch", provider=provider, input_file_id="file-none")
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert "POST /batches" not in await creations(account)


@pytest.mark.parametrize("provider", AZURE)
async def test_a_file_that_cannot_be_processed(
    account: Account, gateway: Gateway, provider: str
) -> None:
    """A file in `error`: a clear FAILED_PRECONDITION, with the provider's reason."""
    found = {"id": "file-1", "status": "Error", "status_details": f"no JSON in {account.key}"}
    await account.fault(kind="answer", status=200, body=found, method="GET")
    failure = await failed(gateway, "CreateBatch", provider=provider)
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert failure.message.endswith("could not process the file file-1: no JSON in [redacted]")
    assert failure.metadata["provider"] == provider
    assert await creations(account) == ["GET /files/file-1"]


async def test_a_file_error_without_details(account: Account, gateway: Gateway) -> None:
    found = {"id": "file-1", "status": "error", "status_details": None}
    await account.fault(kind="answer", status=200, body=found, method="GET")
    failure = await failed(gateway, "CreateBatch", provider="azure")
    assert failure.message.endswith("it does not say why")


async def test_a_file_that_stays_pending(account: Account, open_gateway: OpenGateway) -> None:
    """Without a deadline the wait ends with the profile's timeout, and nothing is created."""
    azure = profiles(account)["azure"] | {"timeout_seconds": 0.3}
    gateway = await open_gateway({"providers": {"azure": azure}})
    found = {"id": "file-1", "status": "running"}
    await account.fault(kind="answer", status=200, body=found, method="GET", times=None)
    failure = await failed(gateway, "CreateBatch")
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert "has not processed the file file-1 yet (status running)" in failure.message
    assert set(await creations(account)) == {"GET /files/file-1"}


@pytest.mark.parametrize("provider", AZURE)
async def test_a_status_that_nobody_knows_is_left_to_the_provider(
    account: Account, gateway: Gateway, provider: str
) -> None:
    """A file whose status stays `uploaded`, or has another name: the creation is tried."""
    for status in ("uploaded", "imported", ""):
        found = {"id": "file-1", "status": status}
        await account.fault(kind="answer", status=200, body=found, method="GET")
        await account.fault(
            kind="answer", status=201, body={"id": "batch_1", "status": "scheduling"}, method="POST"
        )
        answer = await call(gateway, "CreateBatch", provider=provider)
        assert answer.batch.status == batch_pb2.BATCH_STATUS_UNSPECIFIED
        assert answer.batch.status_text == "scheduling"


# Expiry of the output


@pytest.mark.parametrize("provider", ["openai", "azure", "azure-preview"])
async def test_the_output_expires(gateway: Gateway, provider: str) -> None:
    lifetime = Duration(seconds=15 * DAY)
    batch = await create(gateway, provider, output_expires_after=lifetime)
    batch = await finished(gateway, batch)
    file = (await call(gateway, "GetFile", provider=provider, file_id=batch.output_file_id)).file
    assert file.expires_at.seconds - file.created_at.seconds == 15 * DAY


async def test_no_expiry_in_the_old_edition(account: Account, gateway: Gateway) -> None:
    """Expiry is absent in api-version 2024-10-21: asking for it is refused, not ignored."""
    failure = await failed(
        gateway, "CreateBatch", provider="azure-dated", output_expires_after=Duration(seconds=DAY)
    )
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert "api-version 2024-10-21" in failure.fields["output_expires_after"]
    assert await account.requests() == []


@pytest.mark.parametrize("provider", ["openai", "azure", "azure-preview"])
async def test_the_range_of_expiry_is_the_providers(gateway: Gateway, provider: str) -> None:
    """1 hour to 30 days on OpenAI, 14 to 30 days on Azure OpenAI."""
    file = (await gateway.upload(lines(1), provider=provider)).file
    least = 3600 if provider == "openai" else 14 * DAY
    request = batch_service_pb2.CreateBatchRequest(
        provider=provider, input_file_id=file.id, endpoint=ENDPOINT
    )
    for seconds, good in ((least - 1, False), (least, True), (30 * DAY + 1, False)):
        request.output_expires_after.seconds = seconds
        if good:
            await gateway.batches.CreateBatch(request)
            continue
        failure = await failed(
            gateway,
            "CreateBatch",
            provider=provider,
            input_file_id=file.id,
            output_expires_after=request.output_expires_after,
        )
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize(
    "duration",
    [Duration(seconds=0), Duration(seconds=-DAY), Duration(seconds=DAY, nanos=1)],
    ids=["zero", "negative", "fraction"],
)
async def test_an_expiry_that_is_none(
    account: Account, gateway: Gateway, provider: str, duration: Duration
) -> None:
    failure = await failed(gateway, "CreateBatch", provider=provider, output_expires_after=duration)
    assert failure.reason == "INVALID_FIELD"
    assert list(failure.fields) == ["output_expires_after"]
    assert await account.requests() == []


# Words


@pytest.mark.parametrize("field", ["endpoint", "completion_window"])
@pytest.mark.parametrize("value", ["with space", "line\nbreak", "größe", "x" * 257])
async def test_words_that_are_none(
    account: Account, gateway: Gateway, field: str, value: str
) -> None:
    failure = await failed(gateway, "CreateBatch", **{field: value})
    assert failure.reason == "INVALID_FIELD"
    assert list(failure.fields) == [field]
    assert await account.requests() == []


async def test_open_vocabularies_are_the_providers(gateway: Gateway) -> None:
    """A new endpoint or window needs no release: the provider judges it."""
    file = (await gateway.upload(lines(1))).file
    for field, value in (("endpoint", "/v2/anything"), ("completion_window", "7d")):
        failure = await failed(gateway, "CreateBatch", input_file_id=file.id, **{field: value})
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REJECTED")
        assert list(failure.fields) == [field]


async def test_the_input_must_be_for_batches(gateway: Gateway) -> None:
    file = (await gateway.upload(b"text", filename="a.txt", purpose="user_data")).file
    failure = await failed(gateway, "CreateBatch", input_file_id=file.id)
    assert failure.reason == "PROVIDER_REJECTED"
    assert "purpose" in failure.fields["input_file_id"]


def test_the_request_types_are_those_of_the_contract() -> None:
    """What this file's tests do not name would go unseen."""
    fields = set(batch_service_pb2.CreateBatchRequest.DESCRIPTOR.fields_by_name)
    assert fields == {
        "provider",
        "input_file_id",
        "endpoint",
        "completion_window",
        "metadata",
        "output_expires_after",
        "request_id",
    }
    assert set(file_service_pb2.GetFileRequest.DESCRIPTOR.fields_by_name) == {"provider", "file_id"}
