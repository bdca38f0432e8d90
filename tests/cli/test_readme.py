"""What the README says of the command line is so: its blocks run, its tables name what there is."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from batchgate_client.cli import failures
from batchgate_client.cli.connection import Connection
from batchgate_client.cli.program import app
from tests.clients.python.test_readme import address, python
from tests.test_readme import SECTIONS, Shell, blocks, shell

__all__ = ["address", "python", "shell"]

SECTION = SECTIONS["Command line"]
# Of the gateway, and of making it known.
OTHERS = {"serve", "sandbox", "demo", "keys"}


@pytest.mark.slow
def test_the_blocks_run(shell: Shell, tmp_path: Path) -> None:
    run, submit = blocks("Command line", "sh")
    done = shell.run(run)
    assert done.returncode == 0, done.stderr
    assert "requests.jsonl: 2 lines, " in done.stdout
    assert "rows     2 succeeded, 0 failed" in done.stdout
    assert len((tmp_path / "requests.results.jsonl").read_text().splitlines()) == 2
    done = shell.run(submit)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(one) for one in (tmp_path / "reviews.jsonl").read_text().splitlines()]
    assert {row["custom_id"] for row in rows} == {"7", "9"}
    assert all("Is this praise?" in json.dumps(row["response"]["body"]) for row in rows)


def commands(group: Any, *before: str) -> set[str]:
    """All commands of a group, those of groups in it with the group's name."""
    found: set[str] = set()
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= commands(command, *before, name)
        else:
            found.add(" ".join([*before, name]))
    return found


def test_the_table_names_each_command() -> None:
    named: set[str] = set()
    for row in re.findall(r"^\| (`.*?) \|", SECTION, flags=re.MULTILINE):
        words = re.findall(r"`([a-z ]+)", row)
        group = words[0].partition(" ")[0]
        in_group = group in {"files", "batches"}
        named |= {
            f"{group} {word.strip().removeprefix(f'{group} ')}" if in_group else word.strip()
            for word in words
        }
    both = {"batches watch", "batches results"}
    there = {
        name for name in commands(typer.main.get_command(app)) if name.split()[0] not in OTHERS
    }
    assert named | both == there


def test_the_table_has_each_exit_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", SECTION, flags=re.MULTILINE)}
    assert codes == {
        0,
        *(failures.FAILED, failures.UNUSABLE, failures.ROWS_FAILED),
        *(failures.BATCH_FAILED, failures.NOT_STARTED, failures.INTERRUPTED),
    }


def test_the_options_are_there() -> None:
    options = set(re.findall(r"`--([a-z-]+)`", SECTION.partition("The gateway is named by")[2]))
    assert options - {"install-completion"} == {
        name.replace("_", "-") for name in Connection.__dataclass_fields__
    } - {"token", "json"}


@pytest.mark.slow
def test_the_packed_client_alone_has_them(python: Path, address: str, tmp_path: Path) -> None:
    """`pip install batchgate`, in a fresh place, brings what callers need, and says what it lacks."""
    block, _ = blocks("Command line", "sh")
    script = block.replace("127.0.0.1:50051", address)
    path = f"PATH={python.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["/usr/bin/env", "-i", path, "bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "rows     2 succeeded, 0 failed" in done.stdout
    for command in (["serve"], ["sandbox"], ["demo"], ["keys", "new", "team-a"]):
        lacking = subprocess.run(
            [python.with_name("batchgate"), *command],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert lacking.returncode == 2, command
        assert "is not installed; try: pip install 'batchgate[server]'" in lacking.stderr
