"""Whatever a provider answers with success: it is read, or refused in the contract's ways."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from batchgate_server.errors import GatewayError, OutcomeUnknown, ProviderBadResponse
from batchgate_server.operations import NewBatch
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile
from batchgate_server.translation.batches import batch_message
from tests.rest.test_failures import packed
from tests.rest.test_models import JSON, objects_of

NEW = NewBatch(input_file_id="file-1", endpoint="/v1/responses", completion_window="24h")
READS: dict[str, Callable[[OpenAIProvider], Awaitable[Any]]] = {
    "get_batch": lambda provider: provider.get_batch("batch_1"),
    "cancel_batch": lambda provider: provider.cancel_batch("batch_1"),
    "list_batches": lambda provider: provider.list_batches(cursor=None, size=2),
    "get_file": lambda provider: provider.get_file("file-1"),
    "list_files": lambda provider: provider.list_files(
        purpose="", ascending=False, cursor=None, size=2
    ),
    "delete_file": lambda provider: provider.delete_file("file-1"),
}


def provider_of(body: bytes, *, old: bool = False) -> OpenAIProvider:
    """A provider that answers everything with `body`."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    if old:
        return AzureOpenAIProvider(
            AzureOpenAIProfile(
                name="azure",
                endpoint="https://resource.example",
                api_version="2024-10-21",
                api_key=SecretStr("key"),
            ),
            transport=transport,
        )
    return OpenAIProvider(
        OpenAIProfile(name="openai", api_key=SecretStr("key")), transport=transport
    )


OBJECTS = objects_of(RestBatch)
BODIES = (
    st.binary()
    | JSON.map(packed)
    | OBJECTS.map(packed)
    | st.lists(JSON | OBJECTS, max_size=3).map(lambda data: packed({"data": data}))
)


@pytest.mark.parametrize("name", READS)
@given(body=BODIES, old=st.booleans())
@example(body=b"1" * 10_000, old=False)
@example(body=b"[" * 10_000, old=False)
@example(body=b'{"id":' + b"9" * 10_000 + b"}", old=False)
@example(body=b'{"data":[{"id":"a"},{"id":' + b"9" * 10_000 + b"}]}", old=True)
@example(body=b'{"id":"a","metadata":{"a":' + b"9" * 10_000 + b"}}", old=False)
@example(body=b'{"id":"\\ud800","status":"\\udfff"}', old=False)
async def test_a_read_of_anything(name: str, body: bytes, old: bool) -> None:
    refusal = None
    try:
        await READS[name](provider_of(body, old=old))
    except GatewayError as exc:
        refusal = exc
    if refusal:
        assert type(refusal) is ProviderBadResponse
        assert refusal.metadata["provider"] in {"openai", "azure"}
        assert len(refusal.message) < 200


@given(body=BODIES)
async def test_a_creation_answered_with_anything(body: bytes) -> None:
    refusal = batch = None
    try:
        batch = await provider_of(body).create_batch(NEW)
    except GatewayError as exc:
        refusal = exc
    if refusal:
        assert type(refusal) is OutcomeUnknown
        assert refusal.metadata["provider"] == "openai"
    if batch:
        assert batch_message(batch, provider="openai").id
