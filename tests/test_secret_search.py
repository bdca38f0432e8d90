"""The search for secrets bites: a session in which one gets out fails, wherever it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BEGIN = """
import hashlib
import logging
import subprocess
import sys

import grpc
import structlog

from tests.secret_search import collect, secret


def key(name):
    return secret("sk-" + hashlib.sha256(name.encode()).hexdigest())


def test_nothing():
    KEY = key("nothing")
    print(KEY[:8], KEY[-8:])
"""
LEAKS = {
    "print": "print(f'key={KEY}')",
    "print the end of it": "print(f'...{KEY[-12:]}')",
    "log": "structlog.get_logger().info('rpc', headers={'authorization': f'Bearer {KEY}'})",
    "capture": "with structlog.testing.capture_logs(): structlog.get_logger().info(KEY)",
    "logging": "logging.getLogger('x').warning(KEY)",
    "process": "subprocess.run([sys.executable, '-c', f'print({KEY!r})'], capture_output=True)",
    "error": "grpc.aio.AioRpcError(grpc.StatusCode.OK, grpc.aio.Metadata(), grpc.aio.Metadata(), KEY)",
    "metadata": "grpc.aio.AioRpcError(grpc.StatusCode.OK, (), grpc.aio.Metadata(('a', KEY)))",
    "collect": "collect('metrics', f'calls{{key=\"{KEY}\"}} 1')",
    "file": "(tmp_path / 'audit.jsonl').write_text(KEY)",
}


def run(folder: Path, content: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A session of pytest over one file."""
    (folder / "test_it.py").write_text(content)
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "tests.secret_search", *options),
            *(f"--basetemp={folder / 'base'}", f"--rootdir={folder}", str(folder / "test_it.py")),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("options", [[], pytest.param(["-n", "2"], marks=pytest.mark.slow)])
def test_each_leak_is_found(tmp_path: Path, options: list[str]) -> None:
    leaks = [
        f"\ndef test_{name.replace(' ', '_')}(tmp_path):\n    KEY = key({name!r})\n    {code}\n"
        for name, code in LEAKS.items()
    ]
    done = run(tmp_path, BEGIN + "".join(leaks), *options)
    assert done.returncode == 1, done.stdout
    assert f"{len(LEAKS) + 1} passed" in done.stdout
    found = [line for line in done.stdout.splitlines() if "SECRET FOUND" in line]
    for name in LEAKS:
        place = "audit.jsonl" if name == "file" else f"test_{name.replace(' ', '_')}"
        assert [line for line in found if line.endswith(place)], name
    assert not [line for line in found if line.endswith("test_nothing")]
    assert not re.search(r"sk-\w{5}", "\n".join(found))


def test_a_session_without_leaks_passes_and_says_what_was_searched(tmp_path: Path) -> None:
    done = run(tmp_path, BEGIN)
    assert done.returncode == 0, done.stdout
    assert "secret search: 1 secrets in 1 lines, " in done.stdout
