"""A file and a batch in one step, left by its caller at every point of the way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from batchgate_server.batches.uploaded import create_from_upload
from batchgate_server.errors import GatewayError
from batchgate_server.operations import NewBatch, NewFile
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile

KEY = SecretStr("sk-1")


@dataclass
class FakeProvider:
    """Answers when it is let; tells what was asked."""

    hold: str = ""
    """The request that is not answered before `go` is set."""
    status: int = 200
    """Of the creation of a batch."""
    file_status: str = "processed"
    seen: list[str] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        step = f"{request.method} {request.url.path.removeprefix('/v1').removeprefix('/openai')}"
        self.begun.set()
        await request.aread()
        self.seen.append(step)
        if step == self.hold:
            self.reached.set()
            await self.go.wait()
        if step == "POST /batches":
            return httpx.Response(self.status, json={"id": "batch_1"})
        return httpx.Response(200, json={"id": "file-1", "status": self.file_status})


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, answer: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._answer(request)


def openai(fake: FakeProvider) -> OpenAIProvider:
    profile = OpenAIProfile(name="openai", base_url="http://fake/v1", api_key=KEY)
    return OpenAIProvider(profile, transport=Transport(fake.answer))


def azure(fake: FakeProvider) -> OpenAIProvider:
    profile = AzureOpenAIProfile(name="azure", endpoint="http://fake", api_key=KEY)
    return AzureOpenAIProvider(profile, transport=Transport(fake.answer))


async def two_pieces() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


def begin(
    provider: OpenAIProvider, content: AsyncIterator[bytes]
) -> asyncio.Task[tuple[RestBatch, RestFile]]:
    new = NewFile(
        filename="batch.jsonl",
        purpose="batch",
        content_type="application/jsonl",
        content=content,
        size_bytes=None,
        expires_after_seconds=None,
    )
    return asyncio.create_task(
        create_from_upload(
            provider,
            new,
            lambda file: NewBatch(
                input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
            ),
        )
    )


async def cancelled(task: asyncio.Task[tuple[RestBatch, RestFile]]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_left_while_the_content_comes() -> None:
    fake = FakeProvider()
    provider = openai(fake)
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.set()

    task = begin(provider, endless())
    await fake.begun.wait()
    await cancelled(task)
    await closed.wait()
    await provider.aclose()
    assert fake.seen == []


async def test_left_when_all_was_sent() -> None:
    fake = FakeProvider(hold="POST /files")
    provider = openai(fake)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    fake.go.set()
    await provider.aclose()
    assert fake.seen == ["POST /files", "DELETE /files/file-1"]


async def test_left_while_the_file_is_processed() -> None:
    fake = FakeProvider(hold="GET /v1/files/file-1", file_status="pending")
    provider = azure(fake)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    await provider.aclose()
    assert fake.seen[-1] == "DELETE /v1/files/file-1"


@pytest.mark.parametrize(("status", "kept"), [(200, True), (500, True), (400, False)])
async def test_left_while_the_batch_is_created(*, status: int, kept: bool) -> None:
    fake = FakeProvider(hold="POST /batches", status=status)
    provider = openai(fake)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    fake.go.set()
    await provider.aclose()
    assert fake.seen == ["POST /files", "POST /batches"] + ["DELETE /files/file-1"] * (not kept)


async def test_left_while_the_file_is_deleted() -> None:
    fake = FakeProvider(hold="DELETE /files/file-1", status=400)
    provider = openai(fake)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    fake.go.set()
    await provider.aclose()
    assert fake.seen[-1] == "DELETE /files/file-1"


async def test_what_does_not_end_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchgate_server.background.SETTLE_SECONDS", 0.01)
    fake = FakeProvider(hold="POST /batches")
    provider = openai(fake)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    await provider.aclose()
    assert fake.seen == ["POST /files", "POST /batches"]


async def test_a_refused_upload_that_was_left_is_nobodys_error() -> None:
    fake = FakeProvider(hold="POST /files")

    async def answer(request: httpx.Request) -> httpx.Response:
        await fake.answer(request)
        return httpx.Response(400)

    provider = openai(fake)
    provider.rest._transport = Transport(answer)
    task = begin(provider, two_pieces())
    await fake.reached.wait()
    await cancelled(task)
    fake.go.set()
    await provider.aclose()
    assert fake.seen == ["POST /files"]


async def test_an_error_of_the_content_comes_out_as_it_is() -> None:
    fake = FakeProvider()
    provider = openai(fake)

    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise GatewayError("no more")

    with pytest.raises(GatewayError, match=r"^no more$"):
        await begin(provider, broken())
    assert fake.seen == []
