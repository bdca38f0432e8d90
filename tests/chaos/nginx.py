"""nginx in front of several gateways, told anew whom it may use while it runs."""

import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.chaos.ports import wait_listening
from tests.chaos.processes import ROOT, eventually
from tests.tls.nginx import QUIET
from tests.tools import tool

DOCUMENT = ROOT / "RELIABILITY.md"
CONFIGURATION = """
pid nginx.pid; daemon off; error_log errors; worker_processes 1; {user}
events {{ worker_connections 512; }}
http {{ {quiet} {blocks} }}
"""


def documented(port: int, gateways: Sequence[str]) -> str:
    """The blocks that RELIABILITY.md shows, with the addresses of a test put in."""
    (block,) = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)
    servers = "".join(f"    server {address};\n" for address in gateways)
    block, found = re.subn(r"(    server \S+;.*\n)+", servers, block, count=1)
    assert found
    assert "50051" in block
    return str(block).replace("50051", f"127.0.0.1:{port}")


class Nginx:
    """A running nginx."""

    def __init__(self, directory: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.address = f"127.0.0.1:{port}"
        self._directory = directory
        self._port = port
        self._process = process

    def use(self, gateways: Sequence[str]) -> None:
        """Send new calls to these gateways alone; those under way go on where they are."""
        configure(self._directory, self._port, gateways)
        before = self._workers()
        self._process.send_signal(signal.SIGHUP)

        def taken_over() -> bool:
            now = self._workers()
            return bool(now - before) and not now & before

        assert eventually(taken_over, seconds=10)

    def _workers(self) -> set[int]:
        """Those that take new connections; the others only end what they have begun."""
        found: set[int] = set()
        for one in psutil.Process(self._process.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "shutting down" not in " ".join(one.cmdline()):
                    found.add(one.pid)
        return found


def configure(directory: Path, port: int, gateways: Sequence[str]) -> None:
    """Write nginx's configuration."""
    # Else root's workers become a user that may not look into the directory.
    user = "user root;" if psutil.Process().uids().effective == 0 else ""
    blocks = documented(port, gateways)
    text = CONFIGURATION.format(user=user, quiet=QUIET, blocks=blocks)
    (directory / "nginx.conf").write_text(text)


@contextmanager
def nginx(directory: Path, *, port: int, gateways: Sequence[str]) -> Iterator[Nginx]:
    """Run nginx until the end of the block."""
    directory.mkdir()
    configure(directory, port, gateways)
    command = [tool("nginx"), "-p", str(directory), "-c", "nginx.conf", "-e", "errors"]
    with subprocess.Popen(command) as process:
        try:
            wait_listening(port, process)
            yield Nginx(directory, port, process)
        finally:
            process.terminate()
