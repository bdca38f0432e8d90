"""Callers who share a provider's account are told of at the start: nothing parts them there."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Account
from tests.process.conftest import Start

SHARED = """
[providers.openai]
kind = "openai"
base_url = "{url}/v1"
api_key = {{ env = "OPENAI_API_KEY" }}

[providers.own]
kind = "openai"
base_url = "{url}/v1"
caller_credentials = true

[providers.blue]
kind = "openai"
base_url = "{url}/v1"
api_key = {{ env = "OPENAI_API_KEY" }}

[callers.red]
token_sha256 = ["{a}"]
providers = ["openai", "own"]

[callers.blue]
token_sha256 = ["{b}"]
"""


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_callers_who_share_a_profile_are_told_of_once(
    start: Start, account: Account, tmp_path: Path, workers: str
) -> None:
    """Not of one that a single caller may use, nor of one where each has a key of its own."""
    file = tmp_path / "gateway.toml"
    file.write_text(SHARED.format(url=account.url, a="a" * 64, b="b" * 64))
    options = ("--config", str(file), "--workers", workers, "--log-format", "json")
    gateway = await start(*options, listen="127.0.0.1:0", BATCHGATE_DEFAULT_PROVIDER="")
    gateway.signal(signal.SIGTERM)
    code, output = await gateway.end()
    assert code == 0
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in output.splitlines() if line.startswith("{")
    ]
    told = [line for line in lines if "callers share a profile" in line["event"]]
    assert [(line["level"], line["provider"], line["callers"]) for line in told] == [
        ("warning", "openai", ["red", "blue"])
    ]
