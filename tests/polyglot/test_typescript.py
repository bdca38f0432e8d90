"""The TypeScript client: its own tests against a gateway, and its form."""

import json
import re
from pathlib import Path

import pytest

from tests.polyglot.commands import carried_out
from tests.polyglot.lives import Lives
from tests.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "typescript"
QUIET = ("--no-audit", "--no-fund", "--silent")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    for name in ("node", "npm"):
        tool(name)
    carried_out("npm", "install", *QUIET, cwd=CLIENT)


def test_its_form() -> None:
    carried_out("npm", "run", "--silent", "check", cwd=CLIENT)


def test_its_tests(lives: Lives) -> None:
    carried_out("npm", "run", "--silent", "build:test", cwd=CLIENT)
    told = carried_out("npm", "test", cwd=CLIENT, **lives.environment())
    assert re.search(r"^# pass 3\d$", told, flags=re.MULTILINE), told
    assert re.search(r"^# skipped 0$", told, flags=re.MULTILINE), told


def test_the_node_that_it_asks_for_is_enough_for_its_dependencies() -> None:
    def oldest(package: Path) -> int:
        engines = json.loads(package.read_text()).get("engines", {})
        return int(re.search(r"\d+", engines.get("node", "0"))[0])  # type: ignore[index]

    promised = oldest(CLIENT / "package.json")
    listed = carried_out("npm", "ls", "--all", "--omit=dev", "--parseable", cwd=CLIENT)
    needed = {path: oldest(Path(path) / "package.json") for path in listed.split()[1:]}
    assert needed
    assert max(needed.values()) <= promised, needed
    # What is promised is what these tests run on.
    assert carried_out("node", "--version", cwd=CLIENT).startswith(f"v{promised}.")
