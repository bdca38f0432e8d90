"""A clock of the wall that jumps in one process, by libfaketime."""

import os
import time
from pathlib import Path

import pytest

from tests.tools import TOOLS

PLACES = ("usr/lib/*/faketime", "usr/lib64/faketime", "usr/lib/faketime")
NAME = "libfaketimeMT.so.1"
# How often the library looks for a new time.
CACHE_SECONDS = 1


def library() -> Path:
    """libfaketime, of the system or in `build/tools`; without it the test is skipped."""
    for root in (TOOLS.parent / "faketime", Path("/")):
        for place in PLACES:
            for found in root.glob(f"{place}/{NAME}"):
                return found
    if os.environ.get("CI") == "true":
        pytest.fail("libfaketime is needed in CI: .ci/run installs it")
    pytest.skip("libfaketime is not installed (Debian: libfaketime)")


class Clock:
    """The clock of a process that is started with `variables`. The monotonic clock stays right."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._set(0)
        self.variables = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
        }

    def jump(self, seconds: int) -> None:
        """Let it be so many seconds off from now on."""
        self._set(seconds)
        # The library says nothing when it has seen it.
        time.sleep(CACHE_SECONDS + 0.2)

    def _set(self, seconds: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n")
        new.replace(self._file)
