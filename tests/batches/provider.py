"""A provider in memory, which sends its files in just the pieces that a test wants."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
from pydantic import SecretStr

from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.settings import OpenAIProfile


class Content(httpx.AsyncByteStream):
    """A file's content: pieces, and between them whatever else is to happen."""

    def __init__(self, pieces: Sequence[bytes | Exception | asyncio.Event]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                yield piece


class Held:
    """Batches and files, and the requests that came."""

    def __init__(self, *, honours_ranges: bool = False, **files: Sequence[Any]) -> None:
        """`files` by name; a batch `batch_1` is completed and has `output` and `error`."""
        self.files = files
        self.batch: dict[str, Any] = {
            "id": "batch_1",
            "status": "completed",
            "input_file_id": "input",
            **{f"{name}_file_id": name if name in files else None for name in ("output", "error")},
        }
        self.honours_ranges = honours_ranges
        self.requests: list[httpx.Request] = []
        self.uploaded = b""
        self.created: dict[str, Any] = {}

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method == "POST":
            return self._create(request)
        *_, kind, name = request.url.path.removesuffix("/content").split("/")
        if kind == "batches":
            return httpx.Response(200, json=self.batch)
        if name not in self.files:
            return httpx.Response(404, json={"error": {"message": f"No such File object: {name}"}})
        pieces = self.files[name]
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if asked and self.honours_ranges:
            whole = b"".join(pieces)
            offset = int(asked[1])
            if offset >= len(whole):
                return httpx.Response(416, json={"error": {"message": "no such range"}})
            place = {"content-range": f"bytes {offset}-{len(whole) - 1}/{len(whole)}"}
            return httpx.Response(206, headers=place, stream=Content([whole[offset:]]))
        return httpx.Response(200, stream=Content(pieces))

    def _create(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/files"):
            *_, part, _ = request.content.split(b"\r\n--batchgate-")
            self.uploaded = part.partition(b"\r\n\r\n")[2]
            return httpx.Response(200, json={"id": "file-new", "status": "processed"})
        self.created = json.loads(request.content)
        return httpx.Response(200, json={"id": "batch_2", "status": "validating"})

    def provider(self) -> OpenAIProvider:
        profile = OpenAIProfile(name="openai", kind="openai", api_key=SecretStr("sk-test"))
        return OpenAIProvider(profile, transport=httpx.MockTransport(self.answer))

    def find(self, name: str) -> OpenAIProvider:
        assert name == "openai"
        return self.provider()
