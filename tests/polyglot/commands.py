"""Programs of other languages' toolchains, carried out to their end."""

import os
import subprocess
from pathlib import Path

from tests.tools import tool

SECONDS = 500


def carried_out(*command: str | Path, cwd: Path, **variables: str) -> str:
    """The standard output; a failure is told with all that the program said."""
    program, *arguments = command
    done = subprocess.run(
        [tool(str(program)), *arguments],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout
