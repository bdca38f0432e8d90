"""Keys that a provider quotes anywhere in its answers: they stay behind, wherever the text goes."""

import json
import uuid
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.conftest import Account, Gateway, OpenGateway
from tests.secret_search import secret
from tests.services.calls import call, failed

SHOWN_IN_PART = "sk-proj-Ab12...wxYZ"


def quoting(key: str) -> dict[str, Any]:
    """A file and a batch in one, with the key in all that is text."""
    error = {"code": f"bad {key}", "message": f"key {key}, {SHOWN_IN_PART}", "param": key}
    return {
        "id": "batch_1",
        "created_at": 1_795_000_000,
        "filename": f"of {key}.jsonl",
        "purpose": "batch",
        "status": f"pending {key}",
        "status_details": f"no access with {key} or {SHOWN_IN_PART}",
        "endpoint": f"/v1/{key}",
        "model": f"model of {key}",
        "errors": {"data": [error]},
        "metadata": {f"team {key}": f"blue {key}"},
        "input_file_id": f"file-{key}",
    }


def escaped(document: object, key: str) -> str:
    """JSON in which the key's first letter is an escape."""
    return json.dumps(document).replace(key, f"\\u{ord(key[0]):04x}{key[1:]}")


@pytest.fixture(params=["gateway", "caller"])
async def asked(
    request: pytest.FixtureRequest, account: Account, open_gateway: OpenGateway
) -> tuple[Gateway, dict[str, Any]]:
    """A gateway with a key of its own, or that is called with the caller's."""
    own = request.param == "gateway"
    credential = {"api_key": account.key} if own else {"caller_credentials": True}
    profile = {"kind": "openai", "base_url": f"{account.url}/v1", **credential}
    gateway = await open_gateway({"providers": {"openai": profile}})
    return gateway, {} if own else {"_metadata": (("x-provider-key", account.key),)}


@pytest.fixture
def account(account: Account) -> Account:
    """One whose key looks like none, so that only the one who has it can know it."""
    return Account(key=secret(f"word-{uuid.uuid4().hex}"), url=account.url)


@pytest.mark.parametrize("form", [json.dumps, escaped], ids=["plain", "escaped"])
@pytest.mark.parametrize("name", ["GetFile", "GetBatch", "ListFiles", "ListBatches", "CancelBatch"])
async def test_in_what_it_describes(
    asked: tuple[Gateway, dict[str, Any]], account: Account, name: str, form: Any
) -> None:
    gateway, key = asked
    document: object = quoting(account.key)
    if name.startswith("List"):
        document = {"data": [document], "has_more": False}
    body = escaped(document, account.key) if form is escaped else json.dumps(document)
    await account.fault(kind="answer", status=200, body=body, headers={"x-request-id": account.key})
    with capture_logs() as logs:
        rpc = call(gateway, name, **key)
        answer = str(await rpc)
        trailing = str(await rpc.trailing_metadata())
    for text in (answer, trailing, str(logs)):
        assert account.key not in text
        assert SHOWN_IN_PART not in text
    assert "[redacted]" in answer
    assert "batch_1" in answer


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500])
async def test_in_an_error(
    asked: tuple[Gateway, dict[str, Any]], account: Account, status: int
) -> None:
    gateway, key = asked
    words = {name: f"{name}_{account.key}" for name in ("message", "code", "type", "param")}
    await account.fault(
        kind="answer",
        status=status,
        body={"error": words},
        times=None,
        headers={"x-request-id": account.key, "retry-after": account.key, "location": account.key},
    )
    with capture_logs() as logs:
        failure = await failed(gateway, "GetBatch", **key)
        told = await call(gateway, "ListProviders", **key)
    for text in (str(failure), str(told), str(logs)):
        assert account.key not in text


async def test_names_and_labels_that_only_look_like_keys_stay(
    asked: tuple[Gateway, dict[str, Any]], account: Account
) -> None:
    """They are their owners' words."""
    gateway, key = asked
    body = {
        "id": "file-1",
        "filename": "sk-reviews of ***.jsonl",
        "metadata": {"a": "sk-12345"},
    }
    await account.fault(kind="answer", status=200, body=body, times=2)
    file = (await call(gateway, "GetFile", **key)).file
    assert file.filename == body["filename"]
    batch = (await call(gateway, "GetBatch", **key)).batch
    assert dict(batch.metadata) == body["metadata"]
