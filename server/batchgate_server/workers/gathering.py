"""The admin listener of a gateway of several workers: the supervisor asks them all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from batchgate_server.admin.state import Gathered, ProcessState
from batchgate_server.metrics import definitions as d
from batchgate_server.metrics.recorder import counters, gauges
from batchgate_server.settings import Settings

# A worker answers between two calls; one that takes longer is left out this time.
ANSWER_SECONDS = 2.0


class Worker(Protocol):
    """Who is asked."""

    number: int
    starts: int
    """How often its process was started."""

    async def ask(self) -> object:
        """Its `ProcessState`; None if its process has ended."""


class Gathering:
    """A source of the admin listener."""

    def __init__(
        self,
        workers: Sequence[Worker],
        *,
        settings: Callable[[], Settings],
        stopping: Callable[[], bool],
    ) -> None:
        self._workers = workers
        self._settings = settings
        self._stopping = stopping

    @property
    def settings(self) -> Settings:
        """Those in force."""
        return self._settings()

    async def gathered(self) -> Gathered:
        """All workers that answer; ready while any of them is."""
        answers = await asyncio.gather(*map(_answer, self._workers))
        states = [state for state in answers if state is not None]
        ready = any(state.is_ready for state in states) and not self._stopping()
        up: Counter[tuple[str, ...]] = Counter()
        starts: Counter[tuple[str, ...]] = Counter()
        for worker, state in zip(self._workers, answers, strict=True):
            labels = (str(worker.number),)
            up[labels] = int(state is not None)
            starts[labels] = worker.starts
        own = (gauges(d.WORKER_UP, up), counters(d.WORKER_STARTS, starts))
        return Gathered(states, is_ready=ready, metrics=own)


async def _answer(worker: Worker) -> ProcessState | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            state = await worker.ask()
    except TimeoutError:
        return None
    return state if isinstance(state, ProcessState) else None
