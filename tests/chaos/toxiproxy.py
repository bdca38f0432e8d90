"""toxiproxy: a real proxy between two processes whose connections can be made to go wrong."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

from tests.chaos.ports import wait_listening
from tests.tools import tool

PROGRAM = "toxiproxy-server"
Stream = Literal["upstream", "downstream"]


class Proxy:
    """One way between two processes. `upstream` is towards the server, `downstream` back."""

    def __init__(self, owner: "Toxiproxy", name: str, address: str) -> None:
        self._owner = owner
        self.name = name
        self.address = address

    def add(self, kind: str, *, stream: Stream, **attributes: float) -> str:
        """Let a toxic work on all connections, open ones too; its name."""
        name = f"{kind}-{stream}-{time.monotonic_ns()}"
        toxic = {"name": name, "type": kind, "stream": stream, "attributes": attributes}
        self._owner.ask("POST", f"/proxies/{self.name}/toxics", toxic)
        return name

    def remove(self, toxic: str) -> None:
        """End a toxic."""
        # A toxiproxy that was started again has none.
        self._owner.ask("DELETE", f"/proxies/{self.name}/toxics/{toxic}", may_be_gone=True)

    def enable(self, *, enabled: bool) -> None:
        """Listen, or close all connections and refuse new ones."""
        self._owner.ask("POST", f"/proxies/{self.name}", {"enabled": enabled})


class Toxiproxy:
    """A running toxiproxy.

    It dies at times, of toxics that come and go at once (an index out of range in v2.12.0). Then it
    is started again with the same proxies: to those on both sides connections broke, as they may.
    """

    def __init__(self, port: int, log: Path) -> None:
        self._command = [tool(PROGRAM), "-host", "127.0.0.1", "-port", str(port)]
        self._port = port
        self._log = log
        self._api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
        self._proxies: list[dict[str, Any]] = []
        self._turn = threading.Lock()
        self._process = self._started()

    def proxy(self, name: str, *, listen: str, server: str) -> Proxy:
        """A proxy at `listen` in front of `server`, both `host:port`."""
        wanted = {"name": name, "listen": listen, "upstream": server, "enabled": True}
        address: str = self.ask("POST", "/proxies", wanted).json()["listen"]
        self._proxies.append({**wanted, "listen": address})
        return Proxy(self, name, address)

    def heal(self) -> None:
        """End all toxics and enable all proxies."""
        self.ask("POST", "/reset")

    def ask(
        self, method: str, path: str, body: object = None, *, may_be_gone: bool = False
    ) -> httpx.Response:
        """The answer of its HTTP interface."""
        try:
            answer = self._api.request(method, path, json=body)
        except httpx.TransportError:
            self._revive()
            answer = self._api.request(method, path, json=body)
        gone = may_be_gone and answer.status_code == httpx.codes.NOT_FOUND
        assert answer.is_success or gone, answer.text
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._api.close()

    def _revive(self) -> None:
        with self._turn:
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                # It lives, or another one has started it again already.
                return
            print("toxiproxy has died, and is started again")  # noqa: T201
            self._process = self._started()
            for wanted in self._proxies:
                self._api.post("/proxies", json=wanted).raise_for_status()

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            process = subprocess.Popen(self._command, stdout=output, stderr=output)
        wait_listening(self._port, process)
        return process


@contextmanager
def toxiproxy(*, port: int, log: Path) -> Iterator[Toxiproxy]:
    """Run toxiproxy, its HTTP interface at `port`, until the end of the block."""
    running = Toxiproxy(port, log)
    try:
        yield running
    finally:
        running.close()
