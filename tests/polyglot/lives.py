"""A gateway that tests in other languages can have killed and started again: by `POST CONTROL/restart`."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.chaos.ports import fixed_port
from tests.chaos.processes import Process
from tests.polyglot.world import CONFIGURATION
from tests.secret_search import secret


@dataclass(frozen=True)
class Lives:
    """Where the gateway is, and where it is asked to die."""

    address: str
    control: str

    def environment(self) -> dict[str, str]:
        """As tests of other languages find it."""
        return {"BATCHGATE_TEST_ADDRESS": self.address, "BATCHGATE_TEST_CONTROL": self.control}


def mortal_gateway(
    sandbox_url: str, directory: Path, *options: str, key: str, configuration: str = ""
) -> Process:
    """A gateway with one provider, not started yet. `key` is the account at the sandbox."""
    file = directory / "gateway.toml"
    file.write_text(CONFIGURATION.format(url=sandbox_url) + configuration)
    port = fixed_port()
    command = ["batchgate_client", "serve", "--config", str(file), "--listen", f"127.0.0.1:{port}"]
    log = directory / "gateway.log"
    return Process([*command, *options], port=port, log=log, KEY_SOUND=secret(key))


@contextlib.contextmanager
def gateway_with_lives(sandbox_url: str, directory: Path, *, key: str) -> Iterator[Lives]:
    """A gateway with one provider, until the block ends. `key` is the account at the sandbox."""
    gateway = mortal_gateway(sandbox_url, directory, key=key)

    class Control(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.path == "/restart":
                gateway.kill()
                gateway.start()
            self.send_response(204 if self.path == "/restart" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Control) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            gateway.start()
            yield Lives(gateway.address, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            serving.join()
            gateway.close()
