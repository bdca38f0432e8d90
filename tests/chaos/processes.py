"""The sandbox and the gateway as processes that can be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.chaos.ports import fixed_port, wait_listening

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ("BATCHGATE_", "OPENAI_", "AZURE_", "CHAOS_")
END_SECONDS = 60.0


class Process:
    """A server at one address, with as many lives as it takes."""

    def __init__(self, command: Sequence[str], *, port: int, log: Path, **variables: str) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.lives = 0
        self.log = log
        self._command = [sys.executable, "-m", *command]
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        self._environment = {**inherited, **variables}
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the life at hand."""
        return self._process.pid

    @property
    def _process(self) -> subprocess.Popen[bytes]:
        assert self._running, f"{self._command} does not run"
        return self._running

    def start(self, *, stderr: int | None = None, **variables: str) -> None:
        """Begin a life, and wait until it listens; standard error is the log, if it is not given."""
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                self._command,
                env={**self._environment, **variables},
                cwd=ROOT,
                stdout=output,
                stderr=output if stderr is None else stderr,
            )
        self.lives += 1
        try:
            wait_listening(self.port, self._running)
        except (AssertionError, TimeoutError) as error:
            error.add_note(self.log.read_text(errors="replace")[-3000:])
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End by SIGKILL, at once."""
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        """End by SIGTERM, in its own time; the exit code."""
        self._process.terminate()
        return self._process.wait(END_SECONDS)

    def close(self) -> None:
        """End whatever still runs, stopped or not."""
        if self._running and self._running.poll() is None:
            self._running.kill()
            self._running.wait()


@dataclass(frozen=True)
class Vitals:
    """What a process holds at one moment."""

    memory: float
    """Resident MiB."""
    descriptors: int
    callers: int
    """Connections of callers."""
    pooled: int
    """Connections to the provider, which are kept for some seconds."""
    threads: int
    tasks: int
    """Of its event loop, as it last told."""


class Gateway(Process):
    """`batchgate serve` with a configuration file."""

    def __init__(
        self, directory: Path, *, configuration: str, name: str = "gateway", **variables: str
    ) -> None:
        port = fixed_port()
        file = directory / f"{name}.toml"
        file.write_text(configuration)
        self._vitals = directory / f"{name}.vitals"
        command = ["tests.chaos.gateway", "serve", "--config", str(file)]
        command += ["--listen", f"127.0.0.1:{port}", "--log-format", "json"]
        log = directory / f"{name}.log"
        variables["CHAOS_VITALS"] = str(self._vitals)
        super().__init__(command, port=port, log=log, **variables)

    def vitals(self) -> Vitals:
        """What it holds now."""
        process = psutil.Process(self.pid)
        connected = (psutil.CONN_ESTABLISHED, psutil.CONN_CLOSE_WAIT)
        sockets = [one for one in process.net_connections("tcp") if one.status in connected]
        callers = sum(one.laddr.port == self.port for one in sockets)
        return Vitals(
            memory=process.memory_info().rss / 2**20,
            descriptors=process.num_fds(),
            callers=callers,
            pooled=len(sockets) - callers,
            threads=process.num_threads(),
            tasks=int(self._vitals.read_bytes() or 0),
        )


class Sandbox(Process):
    """`batchgate sandbox`. What its accounts hold is lost with each life."""

    def __init__(self, directory: Path) -> None:
        port = fixed_port()
        command = ["batchgate_client", "sandbox", "--listen", f"127.0.0.1:{port}"]
        command += ["--dir", str(directory / "files")]
        super().__init__(command, port=port, log=directory / "sandbox.log")

    @property
    def url(self) -> str:
        """Where it is, past all proxies."""
        return f"http://{self.address}"


def eventually(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Whether `holds` becomes true within so many seconds."""
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
