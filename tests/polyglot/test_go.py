"""The Go client: its own tests against a gateway, its form, and its README in a fresh module."""

import re
from pathlib import Path

import pytest

from tests.polyglot.commands import carried_out
from tests.polyglot.lives import Lives
from tests.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "go"


@pytest.fixture(autouse=True)
def go() -> str:
    return tool("go")


def test_its_form() -> None:
    assert carried_out("gofmt", "-l", ".", str(ROOT / "tests"), cwd=CLIENT) == ""
    carried_out("go", "vet", "./...", cwd=CLIENT)
    carried_out("go", "mod", "verify", cwd=CLIENT)


def test_its_tests(lives: Lives) -> None:
    told = carried_out(
        "go", "test", "-race", "-count=1", "-v", "./...", cwd=CLIENT, **lives.environment()
    )
    assert "--- SKIP" not in told
    assert told.count("--- PASS") > 8


def test_its_readme_in_a_fresh_module(lives: Lives, tmp_path: Path) -> None:
    text = (CLIENT / "README.md").read_text()
    (program,) = re.findall(r"```go\n(package main.*?)```", text, flags=re.DOTALL)
    (tmp_path / "main.go").write_text(program.replace("127.0.0.1:50051", lives.address))
    module = "github.com/batchgate/batchgate/clients/go"
    carried_out("go", "mod", "init", "example.com/fresh", cwd=tmp_path)
    carried_out("go", "mod", "edit", f"-replace={module}={CLIENT}", cwd=tmp_path)
    carried_out("go", "mod", "tidy", cwd=tmp_path)
    told = carried_out("go", "run", ".", cwd=tmp_path)
    assert re.fullmatch(
        r"(validating|in_progress|finalizing|completed) (.*\n)+a true \{.*\n", told
    ), told
