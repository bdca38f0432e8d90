"""Files that change while the gateway runs: keys and certificates rotate, Kubernetes swaps mounts."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# Between two looks; a look takes some microseconds.
LOOK_SECONDS = 1.0

Stamp = tuple[int, ...] | None


def stamp(path: Path) -> Stamp:
    """What differs once a file has been written or replaced; None where there is none."""
    try:
        # Of what links lead to: a mount is swapped by a link in the middle of the path.
        found = os.stat(path)  # noqa: PTH116 - a third of the time of the other one
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class Followed:
    """Tells whether any of some files has changed since the last look."""

    def __init__(
        self,
        files: Sequence[Path],
        *,
        stamps: Sequence[Stamp] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stamps` are those of files that were read before; to be made before they are read."""
        self._files = files
        self._clock = clock
        self._stamps = list(map(stamp, files)) if stamps is None else list(stamps)
        self._look_at = clock() + LOOK_SECONDS

    def is_due(self) -> bool:
        """Whether it is time for the next look, which is once a second; then it counts as taken."""
        if (now := self._clock()) < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        return True

    def have_changed(self) -> bool:
        """Look now. A change between this look and the reading is seen by the next one."""
        seen = list(map(stamp, self._files))
        if seen == self._stamps:
            return False
        self._stamps = seen
        return True
