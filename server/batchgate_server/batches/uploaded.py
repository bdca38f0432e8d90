"""A file and a batch of it in one step: if there is no batch in the end, there is no file either."""

import asyncio
from collections.abc import Callable

from batchgate_server.batches.input_file import create_batch_now, input_file_usable
from batchgate_server.batches.request_ids import creation_name
from batchgate_server.errors import GatewayError, OutcomeUnknown
from batchgate_server.files.uploaded import deleted, uploaded
from batchgate_server.operations import NewBatch, NewFile
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile


async def create_from_upload(
    provider: OpenAIProvider, new_file: NewFile, new_batch_for: Callable[[RestFile], NewBatch]
) -> tuple[RestBatch, RestFile]:
    """Upload a file and create the batch that `new_batch_for` makes of it.

    If creating fails for certain, or the caller goes away before it begins, the file is deleted
    again; an error's message says so, or says which file remains. Where the outcome is unknown the
    file stays, since a batch may need it.
    """
    file = await uploaded(provider, new_file)
    try:
        new = new_batch_for(file)
        await input_file_usable(provider, file.id)
    except asyncio.CancelledError:
        provider.background.start(deleted(provider, file))
        raise
    except GatewayError as exc:
        exc.amend(await provider.background.finish(deleted(provider, file)))
        raise
    # Begun, it goes on without its caller: only its outcome tells whether the file is needed.
    batch = await provider.background.finish(
        _batch_or_no_file(provider, new, file),
        name=creation_name(new.key),
    )
    return batch, file


async def _batch_or_no_file(provider: OpenAIProvider, new: NewBatch, file: RestFile) -> RestBatch:
    try:
        return await create_batch_now(provider, new)
    except OutcomeUnknown as exc:
        exc.amend(f"the uploaded file {file.id} was kept")
        raise
    except GatewayError as exc:
        exc.amend(await deleted(provider, file))
        raise
