"""Work that must come to its end although its caller has gone: creations, and their undoing."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from batchgate_server.call import Call, current_call

Result = TypeVar("Result")
# How long a gateway that stops waits for such work, in seconds; callers are gone by then.
SETTLE_SECONDS = 5.0
log = structlog.stdlib.get_logger()


class Background:
    """Tasks that no caller's cancellation reaches."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Result], *, name: str = "") -> asyncio.Task[Result]:
        """Begin `work`, in the context of the call at hand; `named` finds it while it runs."""
        call = current_call()
        call.behind += 1
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: _leave(call))
        return task

    def named(self, name: str) -> list[asyncio.Task[Any]]:
        """What runs under a name that is not empty."""
        return [task for task in self._tasks if name and task.get_name() == name]

    async def finish(self, work: Coroutine[Any, Any, Result], *, name: str = "") -> Result:
        """The result of `work`, which goes on by itself if its caller is cancelled here."""
        task = self.start(work, name=name)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                task.add_done_callback(_tell)
            raise

    async def settle(self) -> None:
        """Wait until nothing runs."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Wait for what runs, and cancel what does not end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.settle()
        late = list(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def _leave(call: Call) -> None:
    call.behind -= 1
    call.forget()


def _tell(task: asyncio.Task[Any]) -> None:
    # Nobody else sees how it ended.
    if not task.cancelled() and (error := task.exception()):
        log.warning("work failed after its caller had gone", error=type(error).__name__)
