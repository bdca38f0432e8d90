"""The Go client: its own tests against a gateway, and its form."""

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
