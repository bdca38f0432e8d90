"""The peers: each installed in an environment of its own below `build/peers`, and started.

LiteLLM stays at 1.81.0: some releases after it were compromised. Bifrost is not among them: the Go proxy
has no version of its module `github.com/maximhq/bifrost/transports`, and its npm package only fetches a
program from elsewhere.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.benchmarks import processes

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "peers"
LITELLM, PORTKEY = "1.81.0", "1.15.2"
KEY = "sk-bench"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Running:
    """A gateway that answers: where it is, and its processes."""

    address: str
    headers: tuple[str, ...]
    process: psutil.Process | None
    """None where there is no gateway."""
    start_seconds: float
    """From its command to its first answer."""


@dataclass(frozen=True)
class Peer:
    """One of those that are compared."""

    name: str
    version: str
    is_grpc: bool = False


BATCHGATE = Peer("batchgate", "this checkout", is_grpc=True)
PEERS = (
    BATCHGATE,
    Peer("LiteLLM proxy", LITELLM),
    Peer("Portkey", PORTKEY),
)
# The provider itself: what no gateway can be ahead of.
DIRECT = Peer("no gateway", "")


def install() -> None:
    """Install what is missing, in minutes."""
    BUILD.mkdir(parents=True, exist_ok=True)
    litellm = BUILD / "litellm"
    if not (litellm / "bin" / "litellm").exists():
        subprocess.run((sys.executable, "-m", "venv", litellm), check=True)
        package = f"litellm[proxy]=={LITELLM}"
        pip = (litellm / "bin" / "python", "-m", "pip", "install", "--quiet", package)
        subprocess.run(pip, check=True)
    portkey = BUILD / "portkey"
    if not (portkey / "node_modules").exists():
        portkey.mkdir(exist_ok=True)
        quiet = ("--no-audit", "--no-fund", "--silent", "--no-save")
        npm = ("npm", "install", *quiet, f"@portkey-ai/gateway@{PORTKEY}")
        subprocess.run(npm, check=True, cwd=portkey)


@contextlib.contextmanager
def started(peer: Peer, provider: str) -> Iterator[Running]:
    """The peer in front of the provider at a URL, until the block ends."""
    if peer == DIRECT:
        yield Running(provider.removeprefix("http://"), (), None, 0)
        return
    port = processes.free_port()
    with tempfile.TemporaryDirectory() as folder:
        command, variables, headers = _command(peer, port, provider, Path(folder))
        inherited = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("BATCHGATE_", "OPENAI_", "AZURE_"))
        }
        with Path(folder, "log").open("wb") as log:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, env={**inherited, **variables}, cwd=folder, stdout=log, stderr=log
            )
        with process:
            try:
                _wait(port, process, peer)
                seconds = time.perf_counter() - began
                yield Running(f"127.0.0.1:{port}", headers, psutil.Process(process.pid), seconds)
            finally:
                process.terminate()


def _command(
    peer: Peer, port: int, provider: str, folder: Path
) -> tuple[list[str], dict[str, str], tuple[str, ...]]:
    """How a peer is started, its variables, and the headers that its callers send."""
    account = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{provider}/v1"}
    authorization = f"authorization: Bearer {KEY}"
    if peer == BATCHGATE:
        listen = ["--listen", f"127.0.0.1:{port}", "--log-format", "json"]
        return [*processes.GATEWAY, *listen], account, ()
    if peer.name == "Portkey":
        program = BUILD / "portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
        headers = ("x-portkey-provider: openai", f"x-portkey-custom-host: {provider}/v1")
        command = ["node", str(program), f"--port={port}", "--headless"]
        return command, {"NODE_ENV": "production"}, (authorization, *headers)
    configuration = folder / "litellm.yaml"
    configuration.write_text(
        "model_list: []\nfiles_settings:\n  - custom_llm_provider: openai\n"
        f"    api_base: {provider}/v1\n    api_key: {KEY}\n"
    )
    program = BUILD / "litellm/bin/litellm"
    command = [str(program), "--config", str(configuration), "--port", str(port)]
    # Its prices would be fetched from elsewhere.
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "OPENAI_API_BASE": f"{provider}/v1"}
    return [*command, "--host", "127.0.0.1"], {**account, **local}, (authorization,)


def _wait(port: int, process: subprocess.Popen[bytes], peer: Peer) -> None:
    """Return when it answers: HTTP with any status, or gRPC's port being open."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, httpx.HTTPError):
            if peer.is_grpc:
                processes.wait_listening(port)
            else:
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1, trust_env=False)
            return
        time.sleep(0.01)
    sys.exit(f"{peer.name} did not start")
