"""The processes of a benchmark: the gateway as a deployment runs it, providers, and their memory."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 2**18
FILE_CHUNKS = 180 * 2**20 // CHUNK_BYTES
GATEWAY = (sys.executable, "-m", "batchgate_client", "serve")
LOGGED_OK = re.compile(rb'"code": ?"OK"')
NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{answer}'; }} }} }}
"""


@dataclass(frozen=True)
class Gateway:
    """A running gateway."""

    address: str
    pid: int
    log: Path

    def memory(self, line: str = "VmRSS") -> float:
        """Memory in MiB: `VmRSS` now, `VmHWM` at its peak."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(status.split(f"{line}:")[1].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Let `VmHWM` begin anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def cpu_seconds(self) -> float:
        """CPU time spent so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def calls_logged_ok(self) -> int:
        """How many calls ended with gRPC status 0, by the access log."""
        return len(LOGGED_OK.findall(self.log.read_bytes()))


@contextmanager
def gateway(
    provider: str,
    *,
    core: int | None = None,
    configuration: str = "",
    program: Sequence[str] = GATEWAY,
) -> Iterator[Gateway]:
    """A gateway whose only provider is at the URL `provider`; it logs JSON to a file.

    A `configuration` in TOML takes the place of the environment's.
    """
    inherited = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("BATCHGATE_", "OPENAI_", "AZURE_"))
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = [*program, "--listen", "127.0.0.1:0", "--log-format", "json"]
        if configuration:
            file = Path(folder, "batchgate.toml")
            file.write_text(configuration)
            command += ["--config", str(file)]
        environment = {**inherited, "OPENAI_API_KEY": "sk-bench", "OPENAI_BASE_URL": provider}
        with (
            log.open("wb") as errors,
            running(command, core=core, environment=environment, errors=errors.fileno()) as process,
        ):
            assert process.stdout is not None
            words = process.stdout.readline().split()
            if not words:
                sys.exit(f"the gateway did not start:\n{log.read_text()}")
            yield Gateway(words[-1].decode(), process.pid, log)


@contextmanager
def canned_provider(answer: str, *, rest_seconds: float = 0) -> Iterator[str]:
    """A provider of a few lines of asyncio: takes 180 MB uploads, gives 180 MB downloads."""
    port = free_port()
    arguments = [str(port), str(FILE_CHUNKS), answer, str(rest_seconds)]
    with running([sys.executable, "-m", "tests.benchmarks.canned", *arguments]):
        wait_listening(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def nginx_provider(nginx: str, answer: str, *, core: int | None) -> Iterator[str]:
    """nginx, giving every request the same answer."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder, "conf")
        configuration.write_text(
            NGINX.format(folder=folder, port=port, answer=answer), encoding="ascii"
        )
        with running([nginx, "-p", folder, "-c", str(configuration)], core=core):
            wait_listening(port)
            yield f"http://127.0.0.1:{port}"


@contextmanager
def running(
    command: Sequence[str],
    *,
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
    errors: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the block ends, on one core if wished."""
    with on_core(core):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)
    with process:
        try:
            yield process
        finally:
            process.terminate()


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started inside runs on this core only."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, allowed if core is None else {sorted(allowed)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def tool(name: str) -> str | None:
    """The path of a program, if it is installed."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def wait_listening(port: int) -> None:
    """Return when somebody listens on the port."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens on port {port}")
