"""Lines out of a file's chunks, each with its number and the place where it ends."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

from batchgate_server.batches.pauses import with_pauses
from batchgate_server.errors import ProviderNotFound
from batchgate_server.files.download import read_content
from batchgate_server.files.processing import VISIBLE_WITHIN, pauses
from batchgate_server.providers.openai import OpenAIProvider

# Far above any answer; what is longer would be held in memory whole.
MAX_LINE_BYTES = 64 * 1024 * 1024

# What is kept of a line that is longer, to name it.
HEAD_BYTES = 64 * 1024


class Head(bytes):
    """The beginning of a line that is too long to be held."""

    __slots__ = ()


Line = tuple[bytes, int, int]
"""A line without its newline (or the `Head` of one), its number, and the offset behind it."""


class Lines:
    """Cuts chunks into lines, in whatever pieces they come; blank lines are counted, not given.

    Holds what has come of one line, and never more than `longest` bytes of it.
    """

    def __init__(self, *, offset: int = 0, number: int = 0, longest: int = MAX_LINE_BYTES) -> None:
        """Begin at byte `offset` of the file, behind line `number`."""
        self.offset = offset
        """Behind the last line that was given."""
        self.number = number
        """The last line that was given."""
        self._longest = longest
        self._parts: list[bytes] = []
        self._head = b""
        self._held = 0

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """The lines that `chunk` completes."""
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self.offset += 1  # the newline
            if self._held:
                self._hold(line)
                yield from self.end()
            else:
                yield from self._line(line, len(line))
        if rest:
            self._hold(rest)

    def end(self) -> Iterator[Line]:
        """The line that is held: the last one of a file, where it lacks its newline."""
        if self._held:
            line, length = b"".join(self._parts) or self._head, self._held
            self._head = b""
            self._parts.clear()
            self._held = 0
            yield from self._line(line, length)

    def _line(self, line: bytes, length: int) -> Iterator[Line]:
        self.offset += length
        self.number += 1
        if length > self._longest:
            yield Head(line[:HEAD_BYTES]), self.number, self.offset
        elif line and not line.isspace():
            yield line, self.number, self.offset

    def _hold(self, part: bytes) -> None:
        self._held += len(part)
        if self._held <= self._longest:
            self._parts.append(part)
        elif len(self._head) < HEAD_BYTES:
            # Its length is counted on, and of its content no more is kept.
            self._head = b"".join([self._head, *self._parts, part])[:HEAD_BYTES]
            self._parts.clear()


async def file_lines(
    provider: OpenAIProvider,
    file_id: str,
    *,
    what: str,
    offset: int = 0,
    number: int = 0,
    pause_seconds: float | None = None,
    is_new: bool = False,
) -> AsyncGenerator[Iterator[Line], None]:
    """The lines of a file behind a place, in blocks as they come; `what` names it in errors.

    One that `is_new` may not be there at once: a provider's storage can be behind its API.

    A block is to be used up before the next one is asked for. With `pause_seconds` it is empty
    where nothing comes for so long.

    Raises:
        ProviderNotFound: the file is gone.
        ProviderUnavailable: the content was cut off.
    """
    lines = Lines(offset=offset, number=number)
    content = read_content(provider, file_id, offset=offset, limit=0)
    try:
        if is_new:
            content = await _visible(provider, file_id, content, offset=offset)
        async with aclosing(with_pauses(content, pause_seconds)) as pieces:
            async for piece in pieces:
                yield lines.feed(piece[1]) if piece else iter(())
    except ProviderNotFound as exc:
        raise ProviderNotFound(
            f"{what}, {file_id}, is gone: {exc.message}", metadata=exc.metadata
        ) from exc
    yield lines.end()


Pieces = AsyncGenerator[tuple[int, bytes], None]


async def _visible(
    provider: OpenAIProvider, file_id: str, content: Pieces, *, offset: int
) -> Pieces:
    """The content, once the provider knows the file; a doubt of moments, as for input files."""
    waited = 0.0
    for pause in pauses(0.2):
        try:
            first = await anext(content, None)
        except ProviderNotFound:
            if waited >= VISIBLE_WITHIN:
                raise
        else:
            return _rejoined(first, content)
        await asyncio.sleep(pause)
        waited += pause
        content = read_content(provider, file_id, offset=offset, limit=0)
    raise AssertionError  # pragma: no cover - the pauses are endless


async def _rejoined(first: tuple[int, bytes] | None, rest: Pieces) -> Pieces:
    async with aclosing(rest):
        if first is not None:
            yield first
            async for piece in rest:
                yield piece
