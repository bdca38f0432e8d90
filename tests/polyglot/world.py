"""What a run of the scenario stands on: accounts at the sandbox, their faults, and a gateway process.

The scenario (`clients/conformance/scenario.json`) names providers by what is the matter with them.
"""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from batchgate_server.callers.tokens import digest
from tests.chaos.ports import fixed_port
from tests.chaos.processes import FOREIGN, ROOT
from tests.conftest import tls
from tests.secret_search import secret

END_SECONDS = 30.0
LINE = (
    b'{"custom_id": "1", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}\n'
)
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
# Of a gateway with one provider, which looks at watched batches often.
CONFIGURATION = """
[watch]
first_poll_seconds = 0.05
slowest_poll_seconds = 0.1

[providers.openai]
kind = "openai"
base_url = "{url}/v1"
api_key = {{ env = "KEY_SOUND" }}
"""
# What the sandbox does to all requests with the key of each provider.
TROUBLE: dict[str, dict[str, Any]] = {
    "forbidden": {"kind": "answer", "status": 403, "body": {"error": {"message": "not you"}}},
    "limited": {
        "kind": "answer",
        "status": 429,
        "headers": {"retry-after": "7"},
        "body": {"error": {"message": "slow down", "code": "rate_limit_exceeded"}},
    },
    "exhausted": {
        "kind": "answer",
        "status": 429,
        "body": {"error": {"message": "no money", "code": "insufficient_quota"}},
    },
    "down": {"kind": "answer", "status": 503, "body": {"error": {"message": "down"}}},
    "silent": {"kind": "hang"},
    "html": {
        "kind": "answer",
        "status": 200,
        "headers": {"content-type": "text/html"},
        "body": HTML,
    },
    "lost": {"kind": "reset", "method": "POST", "path": "*/batches", "process": True},
}


@dataclass(frozen=True)
class World:
    """A running gateway, and the variables of the scenario."""

    address: str
    variables: dict[str, str]


@contextlib.contextmanager
def world(sandbox_url: str, directory: Path) -> Iterator[World]:
    """A gateway whose providers are fresh accounts at the sandbox, until the block ends."""
    keys = {name: secret(f"sk-{name}-{uuid.uuid4().hex}") for name in ("sound", "own", *TROUBLE)}
    callers = ("token", "reader", "poor", "modest")
    tokens = {name: secret(f"bg_{name}-{uuid.uuid4().hex}") for name in (*callers, "wrong")}
    with httpx.Client(base_url=sandbox_url, verify=tls()) as provider:
        for name, fault in TROUBLE.items():
            answer = provider.post(
                "/_sandbox/faults", json={"key": keys[name], "times": None, **fault}
            )
            assert answer.status_code == 201, answer.text
        lost_file = provider.post(
            "/v1/files",
            headers={"authorization": f"Bearer {keys['lost']}"},
            data={"purpose": "batch"},
            files={"file": ("lost.jsonl", LINE)},
        ).json()["id"]
    configuration = directory / "gateway.toml"
    configuration.write_text(
        _providers(sandbox_url, keys) + _callers({name: tokens[name] for name in callers})
    )
    variables = {**tokens, "own_key": keys["own"], "lost_file": lost_file}
    with _gateway(configuration, log=directory / "gateway.log", keys=keys) as address:
        yield World(address, variables)


@contextlib.contextmanager
def plain_gateway(sandbox_url: str, directory: Path) -> Iterator[str]:
    """The address of a gateway without callers and with one provider, until the block ends."""
    configuration = directory / "gateway.toml"
    configuration.write_text(CONFIGURATION.format(url=sandbox_url))
    keys = {"sound": secret(f"sk-{uuid.uuid4().hex}")}
    with _gateway(configuration, log=directory / "gateway.log", keys=keys) as address:
        yield address


def _providers(url: str, keys: dict[str, str]) -> str:
    def openai(name: str, *lines: str, key: str = "sound", base_url: str = f"{url}/v1") -> str:
        # What fails is not tried again, and a provider in trouble is never left alone.
        head = [f"[providers.{name}]", 'kind = "openai"', f'base_url = "{base_url}"']
        credential = [f'api_key = {{ env = "KEY_{key.upper()}" }}'] if key else []
        return "\n".join(
            [*head, *credential, "retries = 0", "breaker_failures = 0", *lines, "", ""]
        )

    def azure(name: str, version: str) -> str:
        head = [f"[providers.{name}]", 'kind = "azure_openai"', f'endpoint = "{url}"']
        return "\n".join(
            [*head, 'api_key = { env = "KEY_SOUND" }', f'api_version = "{version}"', "", ""]
        )

    return "".join(
        [
            # What is seen of a provider's health is what the scenario asks for.
            "[server]\nhealth_check_seconds = 0\n\n",
            "[watch]\nfirst_poll_seconds = 0.05\nslowest_poll_seconds = 0.1\n\n",
            openai("openai"),
            azure("azure", "v1"),
            azure("azure-dated", "2024-10-21"),
            openai("tiny", "max_upload_bytes = 1000"),
            openai("refused", key="refused"),
            openai("own-keys", "caller_credentials = true", key=""),
            openai("gone", base_url=f"http://127.0.0.1:{fixed_port()}/v1"),
            *(openai(name, "timeout_seconds = 1", key=name) for name in TROUBLE),
        ]
    )


def _callers(tokens: dict[str, str]) -> str:
    every = '["files.read", "files.write", "files.delete", "batches.read", "batches.create", "batches.cancel"]'
    rights = {
        "token": f"allow = {every}",
        "reader": 'providers = ["openai"]\nallow = ["files.read", "batches.read"]',
        "poor": "bytes_per_day = 1000",
        "modest": 'models = ["gpt-4o-mini"]',
    }
    return "".join(
        f'[callers.{name}]\ntoken_sha256 = ["{digest(token)}"]\n{rights[name]}\n\n'
        for name, token in tokens.items()
    )


@contextlib.contextmanager
def _gateway(configuration: Path, *, log: Path, keys: dict[str, str]) -> Iterator[str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    own = {f"KEY_{name.upper()}": key for name, key in keys.items()} | {"KEY_REFUSED": "invalid"}
    command = [sys.executable, "-m", "batchgate_client", "serve", "--config", str(configuration)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0"],
            env={**inherited, **own},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
        ) as process,
    ):
        assert process.stdout
        try:
            said = process.stdout.readline().decode()
            assert said, log.read_text()
            yield said.split()[-1]
            process.send_signal(signal.SIGTERM)
            process.wait(END_SECONDS)
        finally:
            process.kill()
