"""A batch out of a file that may have been uploaded just now, and may not be usable at once."""

import asyncio

from batchgate_server.batches.permitted import ensure_models
from batchgate_server.batches.request_ids import settled
from batchgate_server.call import current_call
from batchgate_server.errors import ProviderNotFound
from batchgate_server.files.processing import VISIBLE_WITHIN, pauses, processed
from batchgate_server.operations import NewBatch
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch


async def create_batch(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    """Create a batch as soon as its input file can be used, within the caller's deadline.

    Without a deadline the wait ends with the profile's `timeout_seconds`.
    """
    provider.check_batch(new)
    await input_file_usable(provider, new.input_file_id)
    await ensure_models(provider, new.input_file_id)
    return await create_batch_now(provider, new)


async def input_file_usable(provider: OpenAIProvider, file_id: str) -> None:
    """Wait until the provider has processed a file, where it does so before a batch may use it."""
    if provider.processes_files:
        await processed(provider, file_id)


async def create_batch_now(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    """Create a batch of a file that is usable, or will be in a moment."""
    waited = 0.0
    call = current_call()
    for pause in pauses(0.2):
        call.creating = "batch"
        try:
            return await settled(provider, new)
        except ProviderNotFound:
            # A 404 is certain: nothing was created.
            call.creating = ""
            if provider.processes_files or waited >= VISIBLE_WITHIN:
                raise
        await asyncio.sleep(pause)
        waited += pause
    raise AssertionError  # pragma: no cover - the pauses are endless
