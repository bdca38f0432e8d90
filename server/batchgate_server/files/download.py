"""A file's content from an offset on, in order and without gaps."""

import re
from collections.abc import AsyncGenerator

import httpx

from batchgate_server.errors import ProviderBadResponse, ProviderRejected
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.answers import pieces

# Advised for gRPC messages, and what the contract promises.
MAX_CHUNK = 256 * 1024
PARTIAL_CONTENT = 206
RANGE_NOT_SATISFIABLE = "416"
CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)


async def read_content(
    provider: OpenAIProvider, file_id: str, *, offset: int, limit: int
) -> AsyncGenerator[tuple[int, bytes], None]:
    """Pieces of at most 256 KiB with their offsets; `limit` 0 means up to the end.

    Range requests are documented by no provider: one is tried for an offset, and where it is not
    honoured the bytes before are read and dropped. Offsets beyond the end give nothing.
    """
    headers = [("range", f"bytes={offset}-")] if offset else []
    try:
        async with provider.file_content(file_id, headers=headers) as response:
            end = offset + limit if limit else None
            position = _start(response, offset, end, provider.name)
            async for piece in pieces(response):
                view = piece
                if position < offset:
                    view = piece[offset - position :]
                    position = min(position + len(piece), offset)
                if end is not None:
                    view = view[: end - position]
                for start in range(0, len(view), MAX_CHUNK):
                    chunk = view[start : start + MAX_CHUNK]
                    yield position, chunk
                    position += len(chunk)
                if end is not None and position >= end:
                    return
    except ProviderRejected as exc:
        # Beyond the end of a provider that honours ranges.
        if offset and exc.metadata.get("http_status") == RANGE_NOT_SATISFIABLE:
            return
        raise


def _start(response: httpx.Response, offset: int, end: int | None, provider: str) -> int:
    """The place in the file of the answer's first byte; it reaches `end`, None being the file's."""
    if response.status_code != PARTIAL_CONTENT:
        return 0
    match = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if match and int(match[1]) <= offset:
        behind = int(match[2]) + 1
        # A server may answer with less than was asked for: that is not the end of the file.
        if match[3] in {"*", str(behind)} or (end is not None and behind >= end):
            return int(match[1])
    raise ProviderBadResponse(f"{provider} answered with another range than was asked for")
