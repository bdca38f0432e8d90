"""`batchgate` as programs of their own, whose words tell when something is to happen to them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.cli.conftest import Done
from tests.process.conftest import FOREIGN
from tests.secret_search import collect

# A shell that runs the tests in the background lets its children ignore SIGINT.
MAIN = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from batchgate_client.cli import main
main()
"""
SECONDS = 60.0


class Program:
    """A running command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: list[str] = []

    async def says(self, word: str) -> None:
        """Returns when a line of its standard error begins so."""
        assert self._process.stderr
        while True:
            line = (await asyncio.wait_for(self._process.stderr.readline(), SECONDS)).decode()
            assert line, f"ended before it said {word!r}: {self._said}"
            self._said.append(line)
            if line.startswith(word):
                return

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def end(self) -> Done:
        """What it has left, once it has ended."""
        output, errors = await asyncio.wait_for(self._process.communicate(), SECONDS)
        assert self._process.returncode is not None
        said = "".join(self._said) + errors.decode()
        collect("the command line", output.decode() + said)
        return Done(self._process.returncode, output.decode(), said)


def variables(**more: str) -> dict[str, str]:
    """The environment of a command, without what this process has of its own."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    return {**own, **more}


@asynccontextmanager
async def program(
    *arguments: object, here: Path, address: str, limit_bytes: int | None = None
) -> AsyncIterator[Program]:
    """A command in the directory `here`, which cannot write larger files than `limit_bytes`."""
    limit = (
        f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, -1))\n"
        if limit_bytes
        else ""
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", limit + MAIN, *map(str, arguments)),
        cwd=here,
        env=variables(BATCHGATE_ADDRESS=address),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Program(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        # Its pipes are closed by the loop's next turns.
        await asyncio.sleep(0)
