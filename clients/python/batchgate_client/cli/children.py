"""Programs of our own that run while the demo does."""

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

PROGRAM = (sys.executable, "-m", "batchgate_client")
STARTING_SECONDS = 30.0
STOPPING_SECONDS = 10.0
# What our programs say once they serve; the address may be a URL.
ANNOUNCEMENT = re.compile(r"listening on (\S+)")
# Settings of the user's own: the demo must neither use nor change anything real.
_PRIVATE = ("BATCHGATE_", "OPENAI_", "AZURE_")


class ChildFailedError(Exception):
    """A child did not start, or ended by itself."""


@dataclass(slots=True)
class Child:
    """A running program: where it listens, and the last it said on its standard error."""

    name: str
    address: str = ""
    last_errors: deque[str] = field(default_factory=lambda: deque(maxlen=20))


@contextmanager
def running(child: Child, *arguments: str, environment: Mapping[str, str]) -> Iterator[Child]:
    """Run `batchgate ARGUMENTS` until the block ends; it serves when the block begins.

    Raises:
        ChildFailedError: if it ends, or says nothing for too long, before it serves.
    """
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(_PRIVATE)}
    with subprocess.Popen(  # noqa: S603 - our own program
        [*PROGRAM, *arguments],
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        address = Future[str]()
        readers = [
            threading.Thread(target=_read_output, args=(process.stdout, address), daemon=True),
            threading.Thread(
                target=_read_errors, args=(process.stderr, child.last_errors), daemon=True
            ),
        ]
        for reader in readers:
            reader.start()
        try:
            child.address = _announced(address, child, process)
            yield child
        finally:
            _stop(process)
            for reader in readers:
                reader.join(STOPPING_SECONDS)


def _announced(address: Future[str], child: Child, process: subprocess.Popen[str]) -> str:
    try:
        return address.result(STARTING_SECONDS)
    except TimeoutError:
        problem = f"did not start within {STARTING_SECONDS:g} s"
    except EOFError:
        problem = f"ended at once with exit code {process.wait(STOPPING_SECONDS)}"
    raise ChildFailedError(f"the {child.name} {problem}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _read_output(stream: IO[str], address: Future[str]) -> None:
    # To the end, also after the announcement: a full pipe would stop the child.
    for line in stream:
        found = ANNOUNCEMENT.search(line)
        if found and not address.done():
            address.set_result(found[1])
    if not address.done():
        address.set_exception(EOFError())


def _read_errors(stream: IO[str], last: deque[str]) -> None:
    for line in stream:
        last.append(line.rstrip())
