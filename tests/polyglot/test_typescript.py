"""The TypeScript client: its own tests against a gateway, its form, and its README from the packed package."""

import json
import re
import shutil
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


def test_its_readme_from_the_packed_package(lives: Lives, tmp_path: Path) -> None:
    """Compiled with the package's own types, then run."""
    packed = carried_out(
        "npm", "pack", "--json", "--silent", "--pack-destination", str(tmp_path), cwd=CLIENT
    )
    name = json.loads(packed[packed.index("[") :])[0]["filename"]
    (program,) = re.findall(r"```ts\n(.*?)```", (CLIENT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "main.ts").write_text(program.replace("127.0.0.1:50051", lives.address))
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(CLIENT / ".npmrc", tmp_path)
    versions = json.loads((CLIENT / "package.json").read_text())["devDependencies"]
    tools = [f"{one}@{versions[one]}" for one in ("typescript", "@types/node")]
    carried_out("npm", "install", *QUIET, f"./{name}", *tools, cwd=tmp_path)
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--skipLibCheck")
    carried_out("npx", "tsc", *options, "main.ts", cwd=tmp_path)
    told = carried_out("node", "main.js", cwd=tmp_path)
    assert re.match(r"(validating|in_progress|finalizing|completed) ", told), told
    assert re.search(r"^a true \{", told, flags=re.MULTILINE), told
