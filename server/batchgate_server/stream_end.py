"""The end of a caller's stream."""

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
        await context.send_initial_metadata(())

    return confirm


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
