"""The core for gRPC's own threads, but not for other programs.

On a single core the threads that bring new calls must get it from the event loop's, or calls wait
where nobody counts them. But `sched_yield` gives it to whoever wants it, and a busy program keeps it
for milliseconds, again and again: with one beside it the gateway would serve half of what it can.
"""

import os
from time import monotonic, process_time

# Of the time, what other programs may get by this besides what the kernel gives them: a twentieth.
REST = 20
# A shorter absence is an interrupt's, or measuring.
NOTICED_SECONDS = 0.0005


class CoreYield:
    """Yields the core; for a while not, if another program has taken it."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def __call__(self) -> None:
        """Let others run, if they are ours as far as one knows."""
        began = monotonic()
        if began < self._not_before:
            return
        used = process_time()
        os.sched_yield()
        ended = monotonic()
        # What passed while no thread of this process ran.
        lost = ended - began - (process_time() - used)
        if lost > NOTICED_SECONDS:
            self._not_before = ended + REST * lost
