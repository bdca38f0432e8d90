"""What the gateway sends upstream, against what the official `openai` package sends.

Both call the sandbox, which records them. Where they differ on purpose, `DIFFERENCES` says why.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import httpx2
import openai
import pytest
from google.protobuf.duration_pb2 import Duration

from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles
from tests.services.calls import call

LIFETIME = 20 * 24 * 3600
# They belong to the connection and to how the body travels.
TRANSPORT = {"connection", "content-length", "host", "transfer-encoding"}
FOUND = {
    "id": "file-1",
    "object": "file",
    "status": "processed",
    "created_at": 1,
    "data": [{"id": "thing-1", "object": "file", "created_at": 1}],
    "has_more": True,
}

DIFFERENCES: Mapping[tuple[str, str], Mapping[str, Any]] = {
    # Microsoft documents both for v1; `api-key` is the one that its every edition knows.
    ("azure", "*"): {"instead": {"authorization": "api-key"}},
    # Microsoft's own schema of this edition has dotted names; the package writes OpenAI's.
    ("azure-preview", "files.create, expiring"): {"parts": {"expires_after[": "expires_after."}},
    ("azure", "files.create, expiring"): {"parts": {"expires_after[": "expires_after."}},
    # Azure OpenAI processes files first: the gateway looks whether it is done.
    ("azure", "batches.create"): {"before": ["GET /openai/v1/files/file-1"]},
    ("azure-dated", "batches.create"): {"before": ["GET /openai/files/file-1"]},
    ("azure-preview", "batches.create"): {"before": ["GET /openai/files/file-1"]},
}


def official(account: Account, flavour: str) -> openai.AsyncOpenAI:
    """The package's client for this flavour, as its documentation has it."""
    versions = {"azure-dated": "2024-10-21", "azure-preview": "2025-04-01-preview"}
    if flavour in versions:
        return openai.AsyncAzureOpenAI(
            azure_endpoint=account.url,
            api_version=versions[flavour],
            api_key=account.key,
            max_retries=0,
        )
    path = "/v1" if flavour == "openai" else "/openai/v1/"
    return openai.AsyncOpenAI(base_url=f"{account.url}{path}", api_key=account.key, max_retries=0)


async def next_page(gateway: Gateway, name: str, provider: str, **fields: Any) -> None:
    first = await call(gateway, name, provider=provider, **fields)
    await call(gateway, name, provider=provider, page_token=first.next_page_token, **fields)


async def content_of(client: openai.AsyncOpenAI) -> None:
    await client.files.content("file-1")


@dataclass(frozen=True)
class Operation:
    """One thing that both can do; the last request of each is compared."""

    ours: Callable[[Gateway, str], Awaitable[object]]
    theirs: Callable[[openai.AsyncOpenAI], Awaitable[object]]
    uploads: bool = False
    flavours: tuple[str, ...] = PROFILES


EXPIRING: Any = {"anchor": "created_at", "seconds": LIFETIME}
FILE = ("requests.jsonl", b"{}\n")
PAGED = tuple(flavour for flavour in PROFILES if flavour != "azure-dated")
OPERATIONS = {
    "files.create": Operation(
        lambda gateway, provider: gateway.upload(FILE[1], provider=provider),
        lambda client: client.files.create(file=FILE, purpose="batch"),
        uploads=True,
    ),
    "files.create, expiring": Operation(
        lambda gateway, provider: gateway.upload(
            FILE[1], provider=provider, expires_after=Duration(seconds=LIFETIME)
        ),
        lambda client: client.files.create(file=FILE, purpose="batch", expires_after=EXPIRING),
        uploads=True,
        flavours=PAGED,
    ),
    "files.retrieve": Operation(
        lambda gateway, provider: call(gateway, "GetFile", provider=provider),
        lambda client: client.files.retrieve("file-1"),
    ),
    "files.list": Operation(
        lambda gateway, provider: call(gateway, "ListFiles", provider=provider, page_size=7),
        lambda client: client.files.list(limit=7, order="desc"),
        flavours=PAGED,
    ),
    "files.list, all filters": Operation(
        lambda gateway, provider: next_page(
            gateway, "ListFiles", provider, page_size=1, purpose="batch", order=1
        ),
        lambda client: client.files.list(limit=1, order="asc", purpose="batch", after="thing-1"),
        flavours=PAGED,
    ),
    "files.list, old": Operation(
        lambda gateway, provider: call(gateway, "ListFiles", provider=provider, purpose="batch"),
        lambda client: client.files.list(purpose="batch"),
        flavours=("azure-dated",),
    ),
    "files.delete": Operation(
        lambda gateway, provider: call(gateway, "DeleteFile", provider=provider),
        lambda client: client.files.delete("file-1"),
    ),
    "files.content": Operation(
        lambda gateway, provider: gateway.download("file-1", provider=provider), content_of
    ),
    "batches.create": Operation(
        lambda gateway, provider: call(
            gateway, "CreateBatch", provider=provider, metadata={"team": "blue"}
        ),
        lambda client: client.batches.create(
            input_file_id="file-1",
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"team": "blue"},
        ),
    ),
    "batches.retrieve": Operation(
        lambda gateway, provider: call(gateway, "GetBatch", provider=provider),
        lambda client: client.batches.retrieve("batch_1"),
    ),
    "batches.list": Operation(
        lambda gateway, provider: call(gateway, "ListBatches", provider=provider, page_size=7),
        lambda client: client.batches.list(limit=7),
    ),
    "batches.list, next page": Operation(
        lambda gateway, provider: next_page(gateway, "ListBatches", provider, page_size=1),
        lambda client: client.batches.list(limit=1, after="thing-1"),
    ),
    "batches.cancel": Operation(
        lambda gateway, provider: call(gateway, "CancelBatch", provider=provider),
        lambda client: client.batches.cancel("batch_1"),
    ),
}
CASES = [(flavour, name) for name, each in OPERATIONS.items() for flavour in each.flavours]


async def both(
    account: Account, gateway: Gateway, flavour: str, operation: Operation
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The gateway's requests, and the official client's."""
    if not operation.uploads:
        await account.fault(kind="answer", status=200, body=FOUND, times=None)
    await operation.ours(gateway, flavour)
    ours = await account.requests()
    async with official(account, flavour) as client:
        await operation.theirs(client)
    (theirs,) = (await account.requests())[len(ours) :]
    return ours, theirs


@pytest.mark.parametrize(("flavour", "name"), CASES)
async def test_the_same_request(
    account: Account, gateway: Gateway, flavour: str, name: str
) -> None:
    requests, theirs = await both(account, gateway, flavour, OPERATIONS[name])
    ours = requests[-1]
    different = {**DIFFERENCES.get((flavour, "*"), {}), **DIFFERENCES.get((flavour, name), {})}

    assert (ours["method"], ours["path"]) == (theirs["method"], theirs["path"])
    assert sorted(httpx.QueryParams(ours["query"]).multi_items()) == sorted(
        httpx.QueryParams(theirs["query"]).multi_items()
    )
    before = [f"{each['method']} {each['path']}" for each in requests[:-1]]
    if "next page" not in name and "all filters" not in name:
        assert before == different.get("before", [])

    instead = different.get("instead", {})
    known = {instead.get(header, header) for header in theirs["header_names"]}
    assert set(ours["header_names"]) - TRANSPORT <= known
    assert ours["headers"]["accept"] == theirs["headers"]["accept"]
    media = [each["headers"].get("content-type", "").partition(";")[0] for each in (ours, theirs)]
    if ours["received_bytes"]:
        assert media[0] == media[1] != ""

    parts = {part["name"] for part in theirs["parts"]}
    for written, meant in different.get("parts", {}).items():
        parts = {
            part.replace(written, meant).removesuffix("]") if written in part else part
            for part in parts
        }
    assert {part["name"] for part in ours["parts"]} == parts
    assert bool(parts) == OPERATIONS[name].uploads
    files = [part for part in ours["parts"] if part["name"] == "file"]
    assert all(part["filename"] == "requests.jsonl" for part in files)


@pytest.mark.parametrize("metadata", [{}, {"team": "blue"}])
@pytest.mark.parametrize("expiring", [False, True])
async def test_the_same_document_creates_a_batch(
    account: Account, open_gateway: OpenGateway, metadata: dict[str, str], expiring: bool
) -> None:
    """Recorded here: the sandbox keeps no content."""
    documents = []

    def handle(request: Any) -> dict[str, object]:
        documents.append(json.loads(request.content))
        return {"id": "batch_1", "object": "batch"}

    gateway = await open_gateway(
        {"providers": {"openai": profiles(account)["openai"]}},
        transport=lambda _: httpx.MockTransport(
            lambda request: httpx.Response(200, json=handle(request))
        ),
    )
    lifetime = {"output_expires_after": Duration(seconds=LIFETIME)} if expiring else {}
    await call(gateway, "CreateBatch", metadata=metadata, **lifetime)
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json=handle(request)))
    async with openai.AsyncOpenAI(
        api_key="key", http_client=openai.DefaultAsyncHttpxClient(transport=transport)
    ) as client:
        await client.batches.create(
            input_file_id="file-1",
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata=metadata or openai.omit,
            output_expires_after=EXPIRING if expiring else openai.omit,
        )
    ours, theirs = documents
    assert ours == theirs


async def test_tenancy_is_sent_under_the_same_names(
    account: Account, open_gateway: OpenGateway
) -> None:
    """Organization and project travel in the headers that the official client uses."""
    profile = {
        "kind": "openai",
        "base_url": f"{account.url}/v1",
        "api_key": account.key,
        "organization": "org-7",
        "project": "proj-7",
    }
    gateway = await open_gateway({"providers": {"openai": profile}})
    await call(gateway, "ListFiles")
    async with openai.AsyncOpenAI(
        base_url=f"{account.url}/v1", api_key=account.key, organization="org-7", project="proj-7"
    ) as client:
        await client.files.list()
    ours, theirs = [
        {key: value for key, value in each["headers"].items() if key.startswith("openai-")}
        for each in await account.requests()
    ]
    assert ours == theirs == {"openai-organization": "org-7", "openai-project": "proj-7"}


def test_every_difference_is_of_an_operation() -> None:
    assert {key for key in DIFFERENCES if key[1] != "*"} <= set(CASES)
