"""Ports for servers that are killed and started again at the same address."""

import random
import socket
import subprocess
import time

# Below those that Linux gives to outgoing connections: nobody else takes one between two lives.
RANGE = range(20_000, 32_000)
TIMEOUT_SECONDS = 20.0


def fixed_port() -> int:
    """A port that nobody listens on and no outgoing connection will be given."""
    for port in random.sample(RANGE, 100):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")


def wait_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when `process` listens on the port; fail if it ends before."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < until:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode}"
        time.sleep(0.01)
    raise TimeoutError(f"{process.args!r} does not listen on {port}")
