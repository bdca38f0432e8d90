"""The models of files that are in the provider's hands already.

A caller who may use but some models could name a file that somebody else has uploaded, or that came
unchecked: its lines are read before a batch is made of it.
"""

import asyncio
from contextlib import aclosing

from batchgate_server.call import current_call
from batchgate_server.callers.allowance import Kind
from batchgate_server.errors import CallerNotPermitted, ProviderNotFound
from batchgate_server.files.download import read_content
from batchgate_server.files.processing import VISIBLE_WITHIN, pauses
from batchgate_server.jsonl.checker import lines_of, pieces_of
from batchgate_server.jsonl.issues import Faulty
from batchgate_server.jsonl.lines import LineSplitter
from batchgate_server.jsonl.model_names import model_fault
from batchgate_server.jsonl.reading import BLANK, MARK, read
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.steps import Steps, in_steps

TOO_LONG = "is too long to be checked"


async def ensure_models(provider: OpenAIProvider, file_id: str) -> None:
    """Return if the caller may use all models that a file's lines name.

    What this process has checked on its way in for a caller with the same models is not read again.

    Raises:
        CallerNotPermitted: with the first line at fault.
    """
    permitted = provider.permitted_models()
    if permitted is None or provider.has_checked(file_id, permitted):
        return
    waited = 0.0
    for pause in pauses(0.2):
        try:
            await _read(provider, file_id, permitted)
        except ProviderNotFound:
            # A file that was uploaded just now may not be visible yet.
            if waited >= VISIBLE_WITHIN:
                raise
        else:
            provider.note_checked(file_id, permitted)
            return
        await asyncio.sleep(pause)
        waited += pause


async def _read(provider: OpenAIProvider, file_id: str, permitted: frozenset[str]) -> None:
    """Read a file as an upload is read: it holds as much, and so it counts as one."""
    call = current_call()
    reader = _Reader(provider, permitted)
    with call.holding(Kind.UPLOAD):
        content = read_content(provider, file_id, offset=0, limit=0)
        async with aclosing(content):
            async for _, chunk in content:
                await in_steps(reader.feeding(chunk))
        await in_steps(reader.finishing())


class _Reader:
    """The lines of a file in chunks, in memory for one line, as `JsonlChecker` reads them."""

    def __init__(self, provider: OpenAIProvider, permitted: frozenset[str]) -> None:
        self._provider = provider
        self._permitted = permitted
        self._longest = provider.profile.max_line_bytes
        self._lines = LineSplitter()
        self._number = 0

    def feeding(self, chunk: bytes) -> Steps[None]:
        """Read the lines that `chunk` completes."""
        yield from self._read(self._lines.feed(chunk))
        if self._lines.held > self._longest:
            raise _not_permitted(self._provider, self._permitted, self._number + 1, TOO_LONG)

    def finishing(self) -> Steps[None]:
        """Read the last line, which may lack its newline."""
        yield from self._read(self._lines.rest())

    def _read(self, block: bytes) -> Steps[None]:
        for piece in pieces_of(block):
            for line in lines_of(piece):
                self._number += 1
                if line.strip(BLANK):
                    yield from ensure_line(
                        line if len(line) <= self._longest + 1 else None,
                        self._number,
                        provider=self._provider,
                        permitted=self._permitted,
                    )


def ensure_line(
    content: bytes | None, number: int, *, provider: OpenAIProvider, permitted: frozenset[str]
) -> Steps[None]:
    """Return if a line (None: too long to be held) names a model that is permitted.

    Raises:
        CallerNotPermitted: it does not.
    """
    fault = TOO_LONG if content is None else (yield from _fault(content, number, permitted))
    if fault:
        raise _not_permitted(provider, permitted, number, fault)
    yield


def _fault(line: bytes, number: int, permitted: frozenset[str]) -> Steps[str | None]:
    try:
        envelope, whole = yield from read(line.removeprefix(MARK) if number == 1 else line)
    except Faulty:
        return "cannot be read"
    return (yield from model_fault(envelope, whole, permitted))


def _not_permitted(
    provider: OpenAIProvider, permitted: frozenset[str], number: int, fault: str
) -> CallerNotPermitted:
    return CallerNotPermitted(
        f"line {number} of the input file {fault}; {current_call().caller.name} may use: "
        f"{', '.join(sorted(permitted))}",
        metadata={"provider": provider.name},
    )
