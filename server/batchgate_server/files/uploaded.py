"""A file that is uploaded: there with its caller, and deleted again where nobody knows of it."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import replace

from batchgate_server.errors import GatewayError, ProviderNotFound
from batchgate_server.operations import NewFile
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestFile
from batchgate_server.rest.retrying import Pace, set_pace


async def deleted(provider: OpenAIProvider, file: RestFile) -> str:
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


async def uploaded(provider: OpenAIProvider, new: NewFile) -> RestFile:
    """Upload a file; if the caller goes away when all was sent, the file is deleted again.

    Else nobody would know of it: its id comes when there is nobody to give it to.
    """
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
    await deleted(provider, file)


class _Content:
    """Content that knows whether it was read to its end: then a file may exist."""

    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self._content = content
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._content:
            yield chunk
        self.ended = True
