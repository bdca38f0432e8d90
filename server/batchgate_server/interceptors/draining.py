"""Shutting down: no call begins any more, and those that have begun get time to end."""

import asyncio
from typing import Any

from batchgate_server.call import Call
from batchgate_server.errors import OutcomeUnknown, ServerDraining
from batchgate_server.interceptors.chain import Context, Proceed


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
            if not call.cut_off:
                raise
            if call.creating:
                # Not UNAVAILABLE, which clients repeat by themselves, at once and elsewhere.
                raise OutcomeUnknown(
                    f"the gateway is shutting down, and the {call.creating} may have been created: "
                    "look before repeating it",
                    metadata={"provider": call.provider},
                ) from exc
            raise ServerDraining from exc
        finally:
            del self._running[task]
            if not self._running:
                self._idle.set()

    async def drain(self, grace_seconds: float) -> None:
        """Refuse new calls, and cut off those without an end of their own at once.

        The other running ones are waited for, and cut off if they take longer.
        """
        self._refusing = True
        self._cut_off(endless_only=True)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        except TimeoutError:
            self._cut_off()
            await self._idle.wait()

    def _cut_off(self, *, endless_only: bool = False) -> None:
        for task, call in self._running.items():
            if call.endless or not endless_only:
                call.cut_off = True
                task.cancel()
