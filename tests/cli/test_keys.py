"""`batchgate keys new`: what it prints is what the configuration takes."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from batchgate_client.cli.program import app
from batchgate_server.callers.directory import Directory
from batchgate_server.settings import load_settings

PROVIDER = '[providers.openai]\nkind = "openai"\napi_key = { env = "KEY" }\n'


@pytest.mark.parametrize("name", ["team-a", "a.b"])
def test_a_token_and_its_digest(tmp_path: Path, name: str) -> None:
    done = CliRunner().invoke(app, ["keys", "new", name], catch_exceptions=False)
    assert done.exit_code == 0
    (token,) = re.findall(r"^  (bg_\S+)$", done.stdout, re.MULTILINE)
    snippet = "\n".join(
        line for line in done.stdout.splitlines() if re.search(r"^  (\[|tok)", line)
    )
    assert token not in snippet
    assert list(tomllib.loads(snippet)["callers"]) == [name]
    config = tmp_path / "batchgate.toml"
    config.write_text(PROVIDER + snippet)
    settings = load_settings(config=config, environment={"KEY": "sk-1"})
    directory = Directory(settings.callers)
    metadata = [("authorization", f"Bearer {token}")]
    assert directory.identify(metadata, tuple)[0].name == name


def test_two_tokens_differ() -> None:
    first, second = (CliRunner().invoke(app, ["keys", "new", "a"]).stdout for _ in range(2))
    assert first != second


@pytest.mark.parametrize("name", ["Team", "", "a b", "-a"])
def test_a_bad_name(name: str) -> None:
    done = CliRunner().invoke(app, ["keys", "new", "--", name])
    assert done.exit_code == 2
    assert "a caller's name must be" in done.stderr
    assert done.stdout == ""
