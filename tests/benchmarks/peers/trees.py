"""What a process and its children hold and spend."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

SAMPLE_SECONDS = 0.02
MIB = 2**20


def _all(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def resident(process: psutil.Process) -> float:
    """MiB of memory of all together."""
    total = 0
    for one in _all(process):
        with suppress(psutil.NoSuchProcess):
            total += one.memory_info().rss
    return total / MIB


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of all together."""
    total = 0.0
    for one in _all(process):
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


class Peak:
    """The most memory that was seen."""

    def __init__(self) -> None:
        self.memory = 0.0


@contextmanager
def peak_of(process: psutil.Process) -> Iterator[Peak]:
    """Looks at the memory all the time, until the block ends."""
    peak = Peak()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            peak.memory = max(peak.memory, resident(process))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()
        peak.memory = max(peak.memory, resident(process))
