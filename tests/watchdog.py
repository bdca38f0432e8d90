"""The longest time for which an event loop was held, by what held it.

Counted is the time of the processor that the loop's own thread has spent between two turns, so that
a busy machine is no defect; a thread that keeps the interpreter's lock meanwhile is counted by
`wall`, which is for reports and not for tests.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, thread_time


@dataclass(slots=True)
class Held:
    """What was measured so far, in seconds."""

    worst: float = 0.0
    """Of one callback, in the processor's time of the loop's thread."""
    what: str = ""
    """That callback."""
    wall: float = 0.0
    """The same by the clock on the wall."""
    thread: int = 0


@contextmanager
def watched() -> Iterator[Held]:
    """Watch all callbacks of the running loop, which must be asyncio's own."""
    held = Held(thread=threading.get_ident())
    original = asyncio.Handle._run

    def run(handle: asyncio.Handle) -> None:
        if threading.get_ident() != held.thread:
            original(handle)
            return
        began, wall = thread_time(), monotonic()
        original(handle)
        spent = thread_time() - began
        held.wall = max(held.wall, monotonic() - wall)
        if spent > held.worst:
            held.worst, held.what = spent, repr(handle)[:400]

    asyncio.Handle._run = run  # type: ignore[method-assign, assignment]
    try:
        yield held
    finally:
        asyncio.Handle._run = original  # type: ignore[method-assign]
