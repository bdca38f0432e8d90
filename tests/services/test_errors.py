"""What callers see of a provider's failures, over a real channel and real HTTP."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from batchgate.v1 import batch_service_pb2, error_reason_pb2
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.services.calls import CALLS, OF_PROVIDERS, call, failed
from tests.status import failure_of

GOLDEN = yaml.safe_load((Path(__file__).parents[1] / "golden" / "errors.yaml").read_text())
# Those of streams, of the process and of defects have tests of their own.
TESTED_ELSEWHERE = {
    "UNSPECIFIED",
    "UPLOAD_PROTOCOL",
    "CHECKSUM_MISMATCH",
    "INVALID_JSONL",
    "BATCH_NOT_FINISHED",
    "RESULTS_MISSING",
    "IDEMPOTENCY_KEY_REUSED",
    "AUDIT_UNAVAILABLE",
    "CALLER_UNAUTHENTICATED",
    "CALLER_NOT_PERMITTED",
    "CALLER_LIMIT",
    "CALLER_IDLE",
    "CALL_TIMEOUT",
    "GATEWAY_OVERLOADED",
    "SERVER_DRAINING",
    "INTERNAL",
}
WRONG_URL = (
    "HTTP status 404 without a word of what is missing; does the configured URL end as the "
    "provider's API does, such as with /v1?"
)
PROCESSED = {"id": "file-1", "status": "processed"}
PLAIN = [name for name in OF_PROVIDERS if name != "CreateBatch"]


async def fail(account: Account, name: str, *, provider: str = "openai", **fault: Any) -> None:
    """Let a call by this name go wrong, and only what it is about."""
    if name == "CreateBatch" and provider != "openai":
        found = {"kind": "answer", "status": 200, "body": PROCESSED}
        await account.fault(method="GET", path="*/files/*", times=None, **found)
    method = {"CreateBatch": "POST", "CancelBatch": "POST", "DeleteFile": "DELETE"}
    await account.fault(method=method.get(name, "GET"), times=None, **fault)


STATUSES = [
    pytest.param(
        status, envelope, PLAIN[number % len(PLAIN)], id=f"{status['status']}-{envelope['name']}"
    )
    for status in GOLDEN["statuses"]
    for number, envelope in enumerate(GOLDEN["envelopes"])
]


@pytest.mark.parametrize(("status", "envelope", "name"), STATUSES)
async def test_a_status_in_an_envelope(
    account: Account, gateway: Gateway, status: dict[str, Any], envelope: dict[str, Any], name: str
) -> None:
    await fail(account, name, kind="answer", status=status["status"], body=envelope["body"])
    failure = await failed(gateway, name, provider="openai")
    silent = WRONG_URL if status["status"] == 404 else f"HTTP status {status['status']}"
    said = envelope.get("message") or silent
    assert failure.code == status["code"]
    assert failure.reason == status["reason"]
    assert failure.message.startswith("openai")
    assert failure.message.endswith(f": {said}")
    assert failure.metadata == {
        "provider": "openai",
        "http_status": str(status["status"]),
        **envelope["metadata"],
    }
    named = envelope.get("field") if status.get("names_field") else None
    assert failure.fields == ({named: said} if named else {})
    assert failure.quotas == {}
    assert failure.retry_seconds == status.get("retry_seconds")


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=[case["name"] for case in GOLDEN["cases"]])
async def test_a_case(account: Account, open_gateway: OpenGateway, case: dict[str, Any]) -> None:
    provider = case.get("provider", "openai")
    configured = profiles(account)
    configured[provider] |= case.get("profile", {})
    gateway = await open_gateway(
        {"providers": configured, "default_provider": "openai", **case.get("settings", {})}
    )
    fault = case.get("fault") or (
        {"kind": "answer", **case["answer"]} if "answer" in case else None
    )
    if fault:
        await fail(account, case["call"], provider=provider, **fault)
    failure = await failed(
        gateway, case["call"], **{"provider": provider, **case.get("request", {})}
    )

    expected = case["expect"]
    assert (failure.code, failure.reason) == (expected["code"], expected["reason"])
    assert expected["message"] in failure.message
    metadata = dict(failure.metadata)
    if fault or "profile" in case:
        assert metadata.pop("provider") == provider
        status = {"http_status": str(fault.get("status")) if fault else None}
        wanted = status | expected.get("metadata", {})
        assert metadata == {key: value for key, value in wanted.items() if value is not None}
    else:
        assert metadata == {}
    assert failure.retry_seconds == expected.get("retry_seconds")
    assert failure.fields.keys() == expected.get("fields", {}).keys()
    for field, description in expected.get("fields", {}).items():
        assert description in failure.fields[field]
    assert failure.quotas == expected.get("quotas", {})
    if not fault:
        assert await account.requests() == []


def test_the_golden_file_covers_every_reason() -> None:
    golden = {each["reason"] for each in GOLDEN["statuses"]}
    golden |= {case["expect"]["reason"] for case in GOLDEN["cases"]}
    reasons = {name.removeprefix("ERROR_REASON_") for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118 - an enum wrapper, not a dict
    assert golden | TESTED_ELSEWHERE == reasons
    assert not golden & TESTED_ELSEWHERE


def test_the_golden_file_covers_every_call() -> None:
    golden = {case["call"] for case in GOLDEN["cases"]}
    assert golden | {"ListProviders"} == set(CALLS)


async def test_retry_after_as_a_date_is_the_time_until_then(
    account: Account, gateway: Gateway
) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    await fail(account, "GetBatch", kind="answer", status=429, headers={"Retry-After": when})
    failure = await failed(gateway, "GetBatch")
    assert failure.retry_seconds is not None
    # It is held against the answer's own Date, which a server may renew once a second only.
    assert 60 < failure.retry_seconds <= 102


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset"},
        {"kind": "answer", "status": 500},
        {"kind": "answer", "status": 504, "body": "<html>"},
        {"kind": "hang"},
    ],
    ids=["reset", "500", "504", "hang"],
)
async def test_a_creation_whose_answer_is_lost_may_be_there(
    account: Account, open_gateway: OpenGateway, fault: dict[str, Any]
) -> None:
    """A creation whose answer is lost: the outcome is unknown, and the list shows the batch."""
    openai = profiles(account)["openai"] | {"timeout_seconds": 1}
    gateway = await open_gateway({"providers": {"openai": openai}})
    file = (await gateway.upload(b"{}\n")).file
    await account.fault(method="POST", path="*/batches", process=True, **fault)
    failure = await failed(gateway, "CreateBatch", input_file_id=file.id)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert failure.retry_seconds is None

    there = await gateway.batches.ListBatches(batch_service_pb2.ListBatchesRequest())
    assert [batch.input_file_id for batch in there.batches] == [file.id]
    sent = [each for each in await account.requests() if each["path"].endswith("/batches")]
    assert [each["method"] for each in sent] == ["POST", "GET"]


@pytest.mark.parametrize("provider", ["openai", "azure", "azure-dated"])
@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: {key}.",
        "Bearer {key} is not valid",
        "key={key}&next",
        "'{key}'",
        "{key}",
        "your key {start}***{end} is revoked",
        "your key sk-...{end} is revoked",
        "your key {start}…{end} is revoked",
        "token eyJhbGciOiJSUzI1NiJ9.{key} is expired",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 429, 500])
async def test_no_error_shows_a_key(
    account: Account, gateway: Gateway, provider: str, status: int, text: str
) -> None:
    """A provider quotes the key, whole or masked: no part of it gets to the caller."""
    start, end = account.key[:8], account.key[-8:]
    said = text.format(key=account.key, start=start, end=end)
    error = {"message": said, "code": said, "type": said, "param": said}
    await fail(account, "GetBatch", kind="answer", status=status, body={"error": error})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(gateway, "GetBatch", provider=provider)
    shown = f"{caught.value!r}{failure_of(caught.value)}"
    assert end not in shown
    assert start not in shown
    assert "[redacted]" in shown


async def test_the_sandbox_refusing_the_key_does_not_show_it(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway(
        {
            "providers": profiles(Account(key="invalid", url=account.url)),
            "default_provider": "openai",
        }
    )
    for provider in profiles(account):
        failure = await failed(gateway, "ListFiles", provider=provider)
        assert failure.reason == "PROVIDER_CREDENTIAL_REJECTED"
        assert failure.message.startswith(f"{provider} refused the gateway's credential: ")
        assert "inva***lid" not in failure.message


@pytest.mark.parametrize("text", ["x", "é", "\N{GRINNING FACE}", "\x00"], ids=ascii)
async def test_an_endless_text_of_a_provider_still_arrives(
    account: Account, gateway: Gateway, text: str
) -> None:
    """Errors travel in headers, which gRPC limits to 8 KiB: longer ones would lose the status."""
    endless = "begin " + text * 1200
    error = {"message": endless, "code": endless, "type": endless, "param": endless}
    await fail(account, "GetBatch", kind="answer", status=400, body={"error": error})
    request_id = "r" * 128
    failure = await failed(gateway, "GetBatch", _metadata=[("x-request-id", request_id)])
    assert failure.reason == "PROVIDER_REJECTED"
    assert failure.message.startswith("openai: begin")
    assert failure.trailing["x-request-id"] == request_id
    size = sum(len(key) + len(value) + 32 for key, value in failure.trailing.items())
    assert size < 8192


async def test_an_answer_of_fifty_megabytes_is_not_read(account: Account, gateway: Gateway) -> None:
    """A JSON body that is far too long is given up, not held in memory."""
    body = json.dumps({"id": "batch_1", "filler": "x" * 17_000_000})
    await fail(account, "GetBatch", kind="answer", status=200, body=body)
    failure = await failed(gateway, "GetBatch")
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert "more than" in failure.message


async def test_a_long_error_is_told_by_its_status(account: Account, gateway: Gateway) -> None:
    body = json.dumps({"error": {"message": "x" * 200_000}})
    await fail(account, "GetBatch", kind="answer", status=404, body=body)
    failure = await failed(gateway, "GetBatch")
    assert (failure.reason, failure.message) == ("PROVIDER_NOT_FOUND", f"openai: {WRONG_URL}")
