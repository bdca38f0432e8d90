"""A file that was uploaded just now may not be usable at once: the wait until it is."""

import asyncio
from collections.abc import Iterator

from batchgate_server.errors import ProviderConflict, ProviderNotFound
from batchgate_server.operations import NewBatch
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch

NOT_YET = {"pending", "running"}
# A provider whose storage is behind says "not found" of a file it has just accepted; how long to
# doubt that, in seconds. A mistyped id waits as long for its answer.
VISIBLE_WITHIN = 2.0
SLOWEST_POLL = 5.0


def _pauses(first: float) -> Iterator[float]:
    pause = first
    while True:
        yield pause
        pause = min(pause * 1.6, SLOWEST_POLL)


async def create_batch(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    """Create a batch as soon as its input file can be used, within the caller's deadline.

    Without a deadline the wait ends with the profile's `timeout_seconds`.
    """
    provider.check_batch(new)
    if provider.processes_files:
        await _processed(provider, new.input_file_id)
        return await provider.create_batch(new)
    waited = 0.0
    for pause in _pauses(0.2):
        try:
            return await provider.create_batch(new)
        except ProviderNotFound:
            # A 404 is certain: nothing was created.
            if waited >= VISIBLE_WITHIN:
                raise
        await asyncio.sleep(pause)
        waited += pause
    raise AssertionError  # pragma: no cover - the pauses are endless


async def _processed(provider: OpenAIProvider, file_id: str) -> None:
    waited = 0.0
    for pause in _pauses(0.1):
        try:
            file = await provider.get_file(file_id)
        except ProviderNotFound:
            if waited >= VISIBLE_WITHIN:
                raise
        else:
            status = file.status.lower()
            if status == "error":
                raise ProviderConflict(
                    f"{provider.name} could not process the input file: "
                    f"{provider.rest.endpoint.clean(file.status_details) or 'it does not say why'}",
                    metadata={"provider": provider.name},
                )
            if status not in NOT_YET:
                return
            if waited >= provider.profile.timeout_seconds:
                raise ProviderConflict(
                    f"{provider.name} has not processed the input file yet (status {status}); "
                    "try again later",
                    metadata={"provider": provider.name},
                )
        await asyncio.sleep(pause)
        waited += pause
