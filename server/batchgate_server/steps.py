"""Long work cut into steps, so that the event loop goes on between them.

A thread would not help: most of the work is single calls into C, which keep the interpreter's lock.
So no step may take long, and whoever cuts work up sees to that; how many steps there are does not
matter. Work that takes longer than a moment goes on alone, one piece of work at a time, and rests as
long as it has worked, so that all others keep half of the loop, whatever comes in.
"""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar
from weakref import WeakKeyDictionary

Result = TypeVar("Result")
Steps = Generator[None, None, Result]
"""Work that stops between two steps; what it returns is its result."""

PIECE_BYTES = 256 * 1024
"""Content that is worked on in one step, where a step is more than a single call into C."""
# Work up to here is done at once: nobody waits longer for it than for any other call.
MOMENT_SECONDS = 0.004
# Rests that are shorter than this are just a turn of the loop.
SHORT_REST_SECONDS = 0.008

_lanes: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def at_once(work: Steps[Result]) -> Result:
    """All steps, where no event loop waits."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: Result = end.value
            return result


async def in_steps(work: Steps[Result]) -> Result:
    """All steps, while the event loop goes on."""
    try:
        spent = _moment(work)
    except StopIteration as end:
        result: Result = end.value
        return result
    try:
        async with _lane():
            while True:
                await asyncio.sleep(spent if spent > SHORT_REST_SECONDS else 0)
                spent = _moment(work)
    except StopIteration as end:
        late: Result = end.value
        return late
    finally:
        work.close()


def _moment(work: Steps[Result]) -> float:
    """Steps for a moment; the seconds that they took. Raises StopIteration at the end."""
    began = perf_counter()
    while True:
        next(work)
        spent = perf_counter() - began
        if spent > MOMENT_SECONDS:
            return spent


def _lane() -> asyncio.Lock:
    """What long work of a loop queues for."""
    loop = asyncio.get_running_loop()
    lane = _lanes.get(loop)
    if lane is None:
        lane = _lanes[loop] = asyncio.Lock()
    return lane
