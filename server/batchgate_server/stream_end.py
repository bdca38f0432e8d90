"""The ends of a call's streams: the caller's last message, and what must go out before an answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from grpc.aio import EOF, ServicerContext

from batchgate_server.errors import GatewayError

# How many of a caller's messages that nobody needs are read, and for how many seconds at most: a
# caller with much more to say is not waited for.
LAST_WORDS = 32
LAST_WORDS_SECONDS = 0.25


def confirm_end(context: ServicerContext[Any, Any]) -> Callable[[], Awaitable[None]]:
    """What raises unless the call is alive, to be asked where its stream seems to have ended.

    A stream that breaks off and one that ends look the same to its reader. Only a call that is
    still alive can send its initial metadata.
    """

    async def confirm() -> None:
        await send_initial_metadata(context)

    return confirm


async def send_initial_metadata(context: ServicerContext[Any, Any]) -> None:
    """Send it, whatever happens meanwhile; who is cancelled is so when it has been sent.

    For if the one who waits for it is cancelled, grpc.aio does not know that it was sent, and sends
    it again with the status of the call. Core refuses both, and the caller gets no status at all.
    """
    sending = asyncio.ensure_future(context.send_initial_metadata(()))
    cancelled: asyncio.CancelledError | None = None
    while not sending.done():
        try:
            await asyncio.wait([sending])
        except asyncio.CancelledError as exc:
            cancelled = exc
    # Looked at in any case, or asyncio would complain.
    failure = sending.exception()
    if cancelled or failure:
        raise cancelled or failure  # type: ignore[misc]


async def read_rest(context: ServicerContext[Any, Any]) -> None:
    """Read what the caller still sends, for a moment, before it is answered.

    grpc.aio's clients, and those alone, may take an answer that comes while they write for an
    internal error of theirs, and lose it.
    """
    # What is no message of the contract comes too late to matter.
    with suppress(TimeoutError, GatewayError):
        async with asyncio.timeout(LAST_WORDS_SECONDS):
            for _ in range(LAST_WORDS):
                if await context.read() is EOF:
                    break
