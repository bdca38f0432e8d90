"""Ids that lead elsewhere, in every field of every RPC that takes one: refused before anything is sent."""

import pytest

from tests.abuse.rpcs import RPCS, send, string_fields
from tests.conftest import Account, Gateway

NASTY = {
    "parent": "..",
    "parents": "../../v1/files",
    "slash": "file-1/content",
    "backslash": "..\\files",
    "encoded slash": "file-1%2fcontent",
    "encoded dots": "%2e%2e",
    "query": "file-1?purpose=x",
    "fragment": "file-1#x",
    "matrix": "file-1;v=1",
    "userinfo": "@evil.example",
    "newline": "file-1\r\nx-injected: 1",
    "trailing newline": "file-1\n",
    "tab": "file-1\t",
    "zero": "file-1\0",
    "space": "file 1",
    "endless": "f" * 10_000,
    "letters": "füle-1",
    "digits": "file-\u0661",
    "full width": "\uff0e\uff0e",
    "direction": "file-1\u202e",
    "line separator": "file-1\u2028",
    "empty": "",
}
IDS = [
    (name, field.name)
    for name, rpc in RPCS.items()
    for field in string_fields(rpc)
    if field.name.endswith("_id") and field.name != "request_id"
]


def test_the_fields_are_found() -> None:
    assert len(IDS) >= 10
    assert ("CreateBatch", "input_file_id") in IDS


@pytest.mark.parametrize(("name", "field"), IDS)
async def test_an_id_that_leads_elsewhere(
    gateway: Gateway, account: Account, name: str, field: str
) -> None:
    rpc = RPCS[name]
    for value in NASTY.values():
        request = rpc.first(**{"endpoint": "/v1/responses"} if name == "CreateBatch" else {})
        setattr(request, field, value)
        outcome = await send(gateway.channel, rpc, [request.SerializeToString()])
        assert (outcome.code.name, outcome.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD"), value
        assert outcome.failure
        assert list(outcome.failure.fields) == [rpc.place + field]
        assert len(outcome.message) < 200
    assert await account.requests() == []


REQUEST_IDS = [name for name, rpc in RPCS.items() if "request_id" in rpc.asks.fields_by_name]


@pytest.mark.parametrize("name", REQUEST_IDS)
async def test_a_request_id_that_no_label_can_hold(
    gateway: Gateway, account: Account, name: str
) -> None:
    rpc = RPCS[name]
    fields = {"input_file_id": "file-1", "batch_id": "batch_1", "endpoint": "/v1/responses"}
    fields = {key: value for key, value in fields.items() if key in rpc.asks.fields_by_name}
    for value in ("a\nb", "a\0", "é", "\u2028", "x" * 10_000):
        request = rpc.first(**fields, request_id=value)
        outcome = await send(gateway.channel, rpc, [request.SerializeToString()])
        assert (outcome.code.name, outcome.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD"), value
    assert await account.requests() == []


@pytest.mark.parametrize("name", [name for name in RPCS if name != "ListProviders"])
async def test_a_provider_that_is_none(gateway: Gateway, account: Account, name: str) -> None:
    rpc = RPCS[name]
    for value in NASTY.values():
        if not value:
            continue
        request = rpc.first(provider=value)
        outcome = await send(gateway.channel, rpc, [request.SerializeToString()])
        assert (outcome.code.name, outcome.reason) == ("NOT_FOUND", "PROVIDER_UNKNOWN"), value
        assert outcome.message.isprintable()
        assert len(outcome.message) < 500
    assert await account.requests() == []


@pytest.mark.parametrize("value", [each for each in NASTY.values() if each], ids=ascii)
@pytest.mark.parametrize("where", ["output_file_id", "error_file_id", "input_file_id"])
async def test_an_id_that_a_provider_names_leads_nowhere_either(
    gateway: Gateway, account: Account, where: str, value: str
) -> None:
    """A server that is not what it should be cannot choose which URL gets the credential."""
    batch = {"id": "batch_1", "status": "completed", "endpoint": "/v1/responses", where: value}
    await account.fault(method="GET", path="*/batches/*", kind="answer", status=200, body=batch)
    rpc = RPCS["RetryBatch" if where == "input_file_id" else "StreamBatchResults"]
    request = rpc.first(batch_id="batch_1")
    outcome = await send(gateway.channel, rpc, [request.SerializeToString()])
    assert (outcome.code.name, outcome.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert [one["path"] for one in await account.requests()] == ["/v1/batches/batch_1"]
