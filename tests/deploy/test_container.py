"""The Containerfile, without an engine: its steps are done by hand in a fresh folder. And systemd's unit."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import tool

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "server" / "deploy"
CONTAINERFILE = (DEPLOY / "container" / "Containerfile").read_text()
STEPS = [
    line.split(maxsplit=1)
    for line in CONTAINERFILE.splitlines()
    if line and not line.startswith("#")
]


def steps(instruction: str) -> list[str]:
    return [rest for word, rest in STEPS if word == instruction]


def test_it_runs_as_nobody_and_has_no_registry_of_its_own() -> None:
    stages = steps("FROM")
    assert stages == ["python:3.13-slim AS build", "python:3.13-slim"]
    (user,) = steps("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert STEPS.index(["USER", user]) > STEPS.index(["FROM", stages[1]])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_steps_make_a_gateway(tmp_path: Path) -> None:
    """What is copied is enough to install, and what is installed starts."""
    source, prefix = tmp_path / "source", tmp_path / "opt" / "batchgate"
    source.mkdir()
    for copied in steps("COPY"):
        if copied.startswith("--from"):
            continue
        *names, target = copied.split()
        for name in names:
            into = source / (Path(name).name if target == "./" else target)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, into)
    for command in steps("RUN"):
        words = shlex.split(command.replace("/opt/batchgate", str(prefix)))
        words[0] = sys.executable if words[0] == "python" else words[0]
        done = subprocess.run(words, cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    (entry,) = steps("ENTRYPOINT")
    program = prefix / "bin" / re.findall(r'"(\w+)"', entry)[0]
    done = subprocess.run(
        [program, "demo"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]


@pytest.mark.slow
def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    program = tool("systemd-analyze")
    text = (DEPLOY / "systemd" / "batchgate.service").read_text()
    unit = tmp_path / "batchgate.service"
    # The program is not installed here.
    unit.write_text(text.replace("/opt/batchgate/bin/batchgate", sys.executable))
    command = (program, "verify", "--man=no", "--generators=no", unit)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(unit) not in done.stderr, done.stderr


def test_the_unit_waits_as_long_as_the_gateway_drains() -> None:
    unit = (DEPLOY / "systemd" / "batchgate.service").read_text()
    configuration = (DEPLOY / "batchgate.toml").read_text()
    times = re.findall(
        r"^(?:drain_delay|shutdown_grace)_seconds = (\d+)", configuration, re.MULTILINE
    )
    (wait,) = re.findall(r"^TimeoutStopSec=(\d+)", unit, re.MULTILINE)
    assert len(times) == 2
    assert int(wait) > sum(map(int, times)) + 5
    (credential,) = re.findall(r"^LoadCredential=(\S+):", unit, re.MULTILINE)
    assert f"/run/secrets/batchgate/{credential}" in configuration


def test_nginx_is_configured_as_the_reliability_document_says() -> None:
    """Where two gateways behind it are restarted under load."""
    (documented,) = re.findall(
        r"```nginx\n(.*?)```", (ROOT / "RELIABILITY.md").read_text(), flags=re.DOTALL
    )
    shipped = (DEPLOY / "nginx" / "batchgate.conf").read_text()
    assert shipped.partition("\n")[2] == documented
