"""Files as callers see them, besides their content, on every flavour of provider."""

from typing import Any

import pytest

from batchgate.v1 import file_pb2
from tests.conftest import PROFILES, Account, Gateway
from tests.services.calls import call, failed
from tests.services.lines import lines


@pytest.mark.parametrize("provider", PROFILES)
async def test_what_a_file_tells(gateway: Gateway, provider: str) -> None:
    content = lines(2)
    uploaded = (await gateway.upload(content, provider=provider, filename="größe.jsonl")).file
    file = (await call(gateway, "GetFile", provider=provider, file_id=uploaded.id)).file
    assert file.provider == provider
    assert file.id == uploaded.id
    assert file.filename == "größe.jsonl"
    assert file.purpose == "batch"
    assert file.size_bytes == len(content)
    assert file.created_at.seconds > 1_700_000_000
    assert file.status in {file_pb2.FILE_STATUS_PROCESSED, file_pb2.FILE_STATUS_PENDING}
    assert file.status_text == file_pb2.FileStatus.Name(file.status).rpartition("_")[2].lower()
    # OpenAI lets batch files expire by itself, Azure OpenAI does not.
    assert file.HasField("expires_at") == (provider == "openai")


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_file_is_deleted(account: Account, gateway: Gateway, provider: str) -> None:
    """Deletion answered with an object, or with 204 and nothing by Azure's dated editions."""
    file = (await gateway.upload(lines(1), provider=provider)).file
    answer = await call(gateway, "DeleteFile", provider=provider, file_id=file.id)
    assert (answer.file_id, answer.deleted) == (file.id, True)
    failure = await failed(gateway, "GetFile", provider=provider, file_id=file.id)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    failure = await failed(gateway, "DeleteFile", provider=provider, file_id=file.id)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert await account.file_ids(azure=provider != "openai") == []


@pytest.mark.parametrize(
    ("status", "body", "deleted"),
    [
        (204, None, True),
        (200, "", True),
        (200, " \n", True),
        (200, {"id": "file-1", "object": "file", "deleted": True}, True),
        (200, {"id": "file-1", "object": "file", "deleted": False}, False),
        (200, {"id": "file-1"}, True),
        (200, {"id": "file-1", "deleted": None}, True),
        (202, {}, True),
    ],
)
async def test_the_ways_of_saying_deleted(
    account: Account, gateway: Gateway, status: int, body: Any, deleted: bool
) -> None:
    """A deletion answers 204, an empty body, or an object."""
    await account.fault(kind="answer", method="DELETE", status=status, body=body)
    answer = await call(gateway, "DeleteFile")
    assert (answer.file_id, answer.deleted) == ("file-1", deleted)


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("name", ["GetFile", "DeleteFile"])
async def test_a_file_that_is_not_there(gateway: Gateway, provider: str, name: str) -> None:
    failure = await failed(gateway, name, provider=provider, file_id="file-none")
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert failure.message.startswith(f"{provider}: ")
    assert failure.metadata["http_status"] == "404"
    assert failure.retry_seconds is None


@pytest.mark.parametrize(
    "purpose", ["with space", "line\nbreak", "größe", "x" * 257], ids=["space", "lf", "ü", "long"]
)
async def test_a_purpose_that_is_none(account: Account, gateway: Gateway, purpose: str) -> None:
    failure = await failed(gateway, "ListFiles", purpose=purpose)
    assert failure.reason == "INVALID_FIELD"
    assert list(failure.fields) == ["purpose"]
    assert await account.requests() == []


async def test_what_a_purpose_may_hold_is_quoted(account: Account, gateway: Gateway) -> None:
    """A purpose cannot add parameters to the query."""
    await call(gateway, "ListFiles", purpose="a&limit=1#?/%20")
    (request,) = await account.requests()
    assert request["query"].endswith("&purpose=a%26limit%3D1%23%3F%2F%2520")
    assert request["path"] == "/v1/files"
