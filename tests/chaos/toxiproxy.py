"""toxiproxy: a real proxy between two processes whose connections can be made to go wrong."""

import subprocess
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

    def __init__(self, api: httpx.Client, name: str, address: str) -> None:
        self._api = api
        self.name = name
        self.address = address

    def add(self, kind: str, *, stream: Stream, **attributes: float) -> str:
        """Let a toxic work on all connections, open ones too; its name."""
        name = f"{kind}-{stream}-{time.monotonic_ns()}"
        toxic = {"name": name, "type": kind, "stream": stream, "attributes": attributes}
        self._done(self._api.post(f"/proxies/{self.name}/toxics", json=toxic))
        return name

    def remove(self, toxic: str) -> None:
        """End a toxic."""
        self._done(self._api.delete(f"/proxies/{self.name}/toxics/{toxic}"))

    def enable(self, *, enabled: bool) -> None:
        """Listen, or close all connections and refuse new ones."""
        self._done(self._api.post(f"/proxies/{self.name}", json={"enabled": enabled}))

    @staticmethod
    def _done(answer: httpx.Response) -> Any:
        assert answer.status_code < 300, answer.text
        return answer


class Toxiproxy:
    """A running toxiproxy."""

    def __init__(self, api: httpx.Client) -> None:
        self._api = api

    def proxy(self, name: str, *, listen: str, server: str) -> Proxy:
        """A proxy at `listen` in front of `server`, both `host:port`."""
        wanted = {"name": name, "listen": listen, "upstream": server, "enabled": True}
        answer = self._api.post("/proxies", json=wanted)
        assert answer.status_code == 201, answer.text
        return Proxy(self._api, name, answer.json()["listen"])

    def heal(self) -> None:
        """End all toxics and enable all proxies."""
        self._api.post("/reset").raise_for_status()


@contextmanager
def toxiproxy(*, port: int, log: Path) -> Iterator[Toxiproxy]:
    """Run toxiproxy, its HTTP interface at `port`, until the end of the block."""
    command = [tool(PROGRAM), "-host", "127.0.0.1", "-port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as api,
    ):
        try:
            wait_listening(port, process)
            yield Toxiproxy(api)
        finally:
            process.kill()
