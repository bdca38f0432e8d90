"""Tools that tests need and users need not have: found, or the test is skipped, but not in CI."""

import os
import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parent.parent / "build" / "tools" / "bin"


def tool(name: str) -> str:
    """The path of a program, from PATH, `build/tools/bin` or `/usr/sbin`; without it the test is skipped."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{TOOLS}:/usr/sbin")
    if found:
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is needed in CI: .ci/run installs it")
    pytest.skip(f"{name} is not installed")
