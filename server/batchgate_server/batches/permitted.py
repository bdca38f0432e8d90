"""The models of files that are in the provider's hands already.

A caller who may use but some models could name a file that somebody else has uploaded, or that came
unchecked: its lines are read before a batch is made of it.
"""

import asyncio
from contextlib import aclosing

from batchgate_server.batches.result_lines import file_lines
from batchgate_server.call import current_call
from batchgate_server.errors import CallerNotPermitted, ProviderNotFound
from batchgate_server.files.processing import VISIBLE_WITHIN, pauses
from batchgate_server.jsonl.model_names import model_fault
from batchgate_server.providers.openai import OpenAIProvider


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
    blocks = file_lines(provider, file_id, what="the input file")
    async with aclosing(blocks):
        async for block in blocks:
            for content, number, _ in block:
                ensure_line(content, number, provider=provider, permitted=permitted)


def ensure_line(
    content: bytes | None, number: int, *, provider: OpenAIProvider, permitted: frozenset[str]
) -> None:
    """Return if a line (None: too long to be held) names a model that is permitted.

    Raises:
        CallerNotPermitted: it does not.
    """
    fault = "is too long to be checked" if content is None else model_fault(content, permitted)
    if fault:
        raise CallerNotPermitted(
            f"line {number} of the input file {fault}; {current_call().caller.name} may use: "
            f"{', '.join(sorted(permitted))}",
            metadata={"provider": provider.name},
        )
