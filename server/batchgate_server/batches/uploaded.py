"""A file and a batch of it in one step: if there is no batch in the end, there is no file either."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import replace

from batchgate_server.batches.input_file import create_batch_now, input_file_usable
from batchgate_server.batches.request_ids import creation_name
from batchgate_server.errors import GatewayError, OutcomeUnknown, ProviderNotFound
from batchgate_server.operations import NewBatch, NewFile
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile
from batchgate_server.rest.retrying import Pace, set_pace


async def create_from_upload(
    provider: OpenAIProvider, new_file: NewFile, new_batch_for: Callable[[RestFile], NewBatch]
) -> tuple[RestBatch, RestFile]:
    """Upload a file and create the batch that `new_batch_for` makes of it.

    If creating fails for certain, or the caller goes away before it begins, the file is deleted
    again; an error's message says so, or says which file remains. Where the outcome is unknown the
    file stays, since a batch may need it.
    """
    file = await _uploaded(provider, new_file)
    try:
        new = new_batch_for(file)
        await input_file_usable(provider, file.id)
    except asyncio.CancelledError:
        provider.background.start(_deleted(provider, file))
        raise
    except GatewayError as exc:
        exc.amend(await provider.background.finish(_deleted(provider, file)))
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
        exc.amend(await _deleted(provider, file))
        raise


async def _deleted(provider: OpenAIProvider, file: RestFile) -> str:
    """Delete a file; what to tell of it."""
    # Tried again also where the caller has no time left: else the file stays for good.
    set_pace(Pace.REGARDLESS)
    try:
        gone = await provider.delete_file(file.id)
    except ProviderNotFound:
        gone = True
    except GatewayError:
        gone = False
    return (
        "the uploaded file was deleted again"
        if gone
        else f"the uploaded file {file.id} could not be deleted and remains"
    )


async def _uploaded(provider: OpenAIProvider, new: NewFile) -> RestFile:
    """Upload a file; if the caller goes away when all was sent, the file is deleted."""
    content = _Content(new.content)
    upload = provider.background.start(provider.create_file(replace(new, content=content)))
    try:
        return await asyncio.shield(upload)
    except asyncio.CancelledError:
        if content.ended:
            provider.background.start(_undone(provider, upload))
        else:
            upload.cancel()
            # Not before nothing of the caller's stream is in use any more.
            await asyncio.wait([upload])
        raise


async def _undone(provider: OpenAIProvider, upload: asyncio.Task[RestFile]) -> None:
    try:
        file = await upload
    except GatewayError:
        return
    await _deleted(provider, file)


class _Content:
    """Content that knows whether it was read to its end: then a file may exist."""

    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self._content = content
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._content:
            yield chunk
        self.ended = True
