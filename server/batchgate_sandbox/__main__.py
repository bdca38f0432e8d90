"""The sandbox as a program of its own."""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from batchgate_sandbox.server import SandboxServer


def run(*, listen: str, speed: str, directory: Path | None) -> None:
    """Serve at ``listen`` (``HOST:PORT``, port 0: any) until SIGTERM or SIGINT.

    One line on the standard output says where, once requests are served.

    Raises:
        OSError: The address is taken, or is none of this machine's.
        ValueError: ``listen`` or ``speed`` makes no sense.
    """
    server = SandboxServer(listen=listen, speed=speed, directory=directory)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(server, speed))


async def _serve(server: SandboxServer, speed: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with server:
        sys.stdout.write(
            f"batchgate sandbox: listening on {server.url} (speed {speed}; "
            f"OpenAI: {server.openai_url}, Azure OpenAI: {server.azure_endpoint}, "
            f"Azure OpenAI v1: {server.azure_v1_url})\n"
        )
        sys.stdout.flush()
        await stop.wait()
