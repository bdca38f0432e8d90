"""Ending calls from here: all when the gateway shuts down, some when their caller has gone.

A gateway that shuts down begins no call any more, and those that have begun get time to end.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from batchgate_server.call import Call
from batchgate_server.errors import GatewayError, OutcomeUnknown, ServerDraining
from batchgate_server.interceptors.chain import Context, Proceed

# What is cut off has an end to tell its caller and the provider, but not for longer than this.
LAST_SECONDS = 5.0
log = structlog.stdlib.get_logger()


class Draining:
    """Knows the calls that run; itself a concern of the chain."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Task[Any], Call] = {}
        self._refusing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(
        self,
        call: Call,
        context: Context,  # noqa: ARG002 - a concern's parameter
        proceed: Proceed,
    ) -> Any:  # noqa: ANN401 - any message
        """Refuses the call, or counts it as running."""
        if self._refusing:
            raise ServerDraining
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - gRPC serves each RPC in a task
        self._running[task] = call
        self._idle.clear()
        try:
            return await proceed()
        except asyncio.CancelledError as exc:
            if call.cut_off is None:
                raise
            if call.creating:
                # Not UNAVAILABLE, which clients repeat by themselves, at once and elsewhere.
                why = call.cut_off.message.partition(";")[0]
                raise OutcomeUnknown(
                    f"{why}, and the {call.creating} may have been created: "
                    "look before repeating it",
                    metadata={"provider": call.provider},
                ) from exc
            raise call.cut_off from exc
        finally:
            del self._running[task]
            if not self._running:
                self._idle.set()

    async def drain(self, grace_seconds: float) -> None:
        """Refuse new calls, and cut off those without an end of their own at once.

        The other running ones are waited for, and cut off if they take longer.
        """
        self._refusing = True
        self.cut_off(lambda call: ServerDraining() if call.endless else None)
        if await self._ended(grace_seconds):
            return
        self.cut_off(lambda _: ServerDraining())
        if not await self._ended(LAST_SECONDS):
            log.error(
                "calls that were cut off do not end",
                methods=[call.method for call in self._running.values()],
            )

    def cut_off(self, reason: Callable[[Call], GatewayError | None]) -> None:
        """End each running call for which there is a reason, with that error."""
        for task, call in self._running.items():
            if error := reason(call):
                call.cut_off = error
                task.cancel()

    async def _ended(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
