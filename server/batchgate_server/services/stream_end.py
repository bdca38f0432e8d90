"""The end of a caller's stream."""

from collections.abc import Awaitable, Callable
from typing import Any

from grpc.aio import ServicerContext


def confirm_end(context: ServicerContext[Any, Any]) -> Callable[[], Awaitable[None]]:
    """What raises unless the call is alive, to be asked where its stream seems to have ended.

    A stream that breaks off and one that ends look the same to its reader. Only a call that is
    still alive can send its initial metadata.
    """

    async def confirm() -> None:
        await context.send_initial_metadata(())

    return confirm
