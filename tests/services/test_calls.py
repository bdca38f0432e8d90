"""What holds for every unary call: ids, request ids, deadlines."""

import asyncio
import re
from typing import Any

import grpc
import pytest

from tests.conftest import PROFILES, Account, Gateway
from tests.services.calls import OF_PROVIDERS, call, failed

WITH_IDS = {
    "CreateBatch": "input_file_id",
    "GetBatch": "batch_id",
    "CancelBatch": "batch_id",
    "GetFile": "file_id",
    "DeleteFile": "file_id",
}
BAD_IDS = {
    "none": "",
    "up": "..",
    "up and away": "../../v1/files",
    "slash": "file-1/content",
    "backslash": "file-1\\content",
    "quoted slash": "file-1%2fcontent",
    "query": "file-1?purpose=batch",
    "fragment": "file-1#",
    "newline": "file-1\n",
    "header": "file-1\r\nx: y",
    "zero": "file-1\0",
    "space": "file 1",
    "long": "f" * 10_000,
    "dot": ".",
    "dash": "-file",
    "non-ASCII": "datei-größe",
    "other digits": "file-\N{ARABIC-INDIC DIGIT ONE}",
}


@pytest.mark.parametrize("value", BAD_IDS.values(), ids=BAD_IDS.keys())
@pytest.mark.parametrize("name", WITH_IDS)
async def test_an_id_that_is_none(
    account: Account, gateway: Gateway, name: str, value: str
) -> None:
    """An id cannot lead a call elsewhere: it is refused, and nothing is sent."""
    for provider in ("openai", "azure-dated"):
        failure = await failed(gateway, name, **{"provider": provider, WITH_IDS[name]: value})
        assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert list(failure.fields) == [WITH_IDS[name]]
        assert failure.message == f"{WITH_IDS[name]}: {failure.fields[WITH_IDS[name]]}"
    assert await account.requests() == []


@pytest.mark.parametrize(
    "value",
    [
        "batch_abc123",
        "0190c7e2-2b1c-7d3e-9f00-0123456789ab",
        "42",
        "bGl0ZWxsbTpvcGVuYWk7YmF0Y2hfMQ==",
        "f" * 512,
        "a:b.c_d-e~f=",
    ],
)
async def test_ids_of_other_servers(account: Account, gateway: Gateway, value: str) -> None:
    """Ids without a prefix, and those into which a server packs its routing, pass unchanged."""
    await account.fault(kind="answer", status=200, body={"id": value})
    assert (await call(gateway, "GetBatch", batch_id=value)).batch.id == value
    (request,) = await account.requests()
    assert request["path"] == f"/v1/batches/{value}"


# Request ids


async def trailing_of(answer: Any) -> dict[str, Any]:
    await answer
    return dict(await answer.trailing_metadata())


@pytest.mark.parametrize("provider", PROFILES)
async def test_both_request_ids_come_back(gateway: Gateway, provider: str) -> None:
    """OpenAI's `x-request-id` and Azure OpenAI's `apim-request-id` are one to callers."""
    sent = [("x-request-id", "my-request.7")]
    for name in ("ListFiles", "ListBatches"):
        answer = call(gateway, name, provider=provider, _metadata=sent)
        trailing = await trailing_of(answer)
        assert trailing["x-request-id"] == "my-request.7"
        pattern = r"req_\w+" if provider == "openai" else r"[0-9a-f-]{36}"
        assert re.fullmatch(pattern, trailing["x-provider-request-id"])
    failure = await failed(gateway, "GetFile", provider=provider, _metadata=sent)
    assert failure.trailing["x-request-id"] == "my-request.7"
    assert failure.trailing["x-provider-request-id"] == failure.metadata["provider_request_id"]


@pytest.mark.parametrize(
    "sent",
    [[], [("x-request-id", "")], [("x-request-id", "with space")], [("x-request-id", "r" * 129)]],
    ids=["none", "empty", "space", "long"],
)
async def test_a_request_id_is_minted(gateway: Gateway, sent: list[tuple[str, str]]) -> None:
    minted = set()
    for _ in range(2):
        trailing = await trailing_of(call(gateway, "ListProviders", _metadata=sent))
        assert re.fullmatch(r"[0-9a-f]{32}", trailing["x-request-id"])
        assert "x-provider-request-id" not in trailing
        minted.add(trailing["x-request-id"])
    assert len(minted) == 2


async def test_no_request_id_of_a_provider_that_was_not_asked(gateway: Gateway) -> None:
    failure = await failed(gateway, "GetBatch", batch_id="..")
    assert "x-provider-request-id" not in failure.trailing
    assert "x-request-id" in failure.trailing


async def test_a_request_id_of_a_provider_that_cannot_travel(
    account: Account, gateway: Gateway
) -> None:
    """GRPC takes visible ASCII only: another id must not break the answer."""
    for value in ("réq", "r" * 257, "a b"):
        await account.fault(
            kind="answer", status=200, headers={"x-request-id": value}, body={"id": "batch_1"}
        )
        trailing = await trailing_of(call(gateway, "GetBatch"))
        assert "x-provider-request-id" not in trailing


# Deadlines and cancellation


async def aborted(account: Account) -> dict[str, Any]:
    """The last request, once the sandbox has seen its connection end."""
    while True:
        request = (await account.requests())[-1]
        if request["aborted"]:
            return request
        await asyncio.sleep(0.01)


# A creation goes on without its caller, so that what it makes is named in the audit log.
ENDING = [name for name in OF_PROVIDERS if name != "CreateBatch"]


@pytest.mark.parametrize("name", ENDING)
async def test_a_deadline_ends_the_call_upstream(
    account: Account, gateway: Gateway, name: str
) -> None:
    """No call goes on at the provider whose caller has given up."""
    await account.fault(kind="hang")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(gateway, name, _timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    request = await aborted(account)
    assert (request["fault"], request["answered"]) == ("hang", False)


@pytest.mark.parametrize("name", ENDING)
async def test_a_cancellation_ends_the_call_upstream(
    account: Account, gateway: Gateway, name: str
) -> None:
    await account.fault(kind="hang")
    running = call(gateway, name)
    while True:
        if await account.requests():
            break
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    request = await aborted(account)
    assert (request["fault"], request["answered"]) == ("hang", False)


async def test_a_deadline_during_the_wait_for_a_file_creates_nothing(
    account: Account, gateway: Gateway
) -> None:
    """The creation waits for its file within the caller's deadline, and no longer."""
    await account.settings(file_pending_seconds=60)
    file = (await gateway.upload(b"{}\n", provider="azure")).file
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(gateway, "CreateBatch", provider="azure", input_file_id=file.id, _timeout=0.3)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    listed = await call(gateway, "ListBatches", provider="azure")
    assert list(listed.batches) == []
    assert [each["method"] for each in await account.requests()].count("POST") == 1  # the upload
