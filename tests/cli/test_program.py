"""The program itself, through its real door."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from batchgate_client.cli.failures import server_extra

DOORS = [
    [str(Path(sys.executable).with_name("batchgate"))],
    [sys.executable, "-m", "batchgate_client"],
]


@pytest.mark.parametrize("door", DOORS, ids=["script", "module"])
def test_version(door: list[str]) -> None:
    done = subprocess.run([*door, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"batchgate {version('batchgate')}\n"
    assert done.stderr == ""


def test_help_names_every_command() -> None:
    done = subprocess.run([*DOORS[1], "--help"], capture_output=True, text=True, check=True)
    assert "Usage: batchgate" in done.stdout
    for command in (
        "serve",
        "sandbox",
        "demo",
        "keys",
        "run",
        "submit",
        "watch",
        "results",
        "check",
    ):
        assert command in done.stdout
    for command in ("files", "batches", "providers", "health"):
        assert command in done.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("batchgate ba", {"batches"}),
        ("batchgate files u", {"upload"}),
        ("batchgate run --tls-", {"--tls-ca", "--tls-cert", "--tls-key"}),
        ("batchgate results batch_1 --filter f", {"failed"}),
    ],
)
def test_a_shell_completes(words: str, completed: set[str]) -> None:
    done = subprocess.run(
        DOORS[0],
        env={
            **os.environ,
            "_BATCHGATE_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == completed


def test_without_a_command_the_help_is_shown() -> None:
    done = subprocess.run(DOORS[1], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Usage: batchgate" in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["nothing"], ["serve", "--port", "1"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = subprocess.run([*DOORS[1], *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""


def test_the_start_imports_nothing_heavy() -> None:
    code = (
        "import sys, batchgate_client.cli\n"
        "heavy = {'grpc', 'google.protobuf', 'pydantic_settings', 'httpx', 'aiohttp', 'uvicorn',"
        " 'starlette', 'structlog', 'batchgate_server', 'batchgate_sandbox'}\n"
        "sys.exit(repr(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "module"),
    [("serve", "pydantic_settings"), ("serve", "httpx"), ("sandbox", "uvicorn")],
)
def test_without_the_server_extra(command: str, module: str) -> None:
    code = (
        f"import sys; sys.modules['{module}'] = None\nfrom batchgate_client.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        env={**os.environ, "OPENAI_API_KEY": "sk-test"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"batchgate: {module} is not installed; try: pip install 'batchgate[server]'\n"
    )


def test_a_missing_module_of_our_own_is_a_defect() -> None:
    missing = ModuleNotFoundError(name="batchgate_server.settings")
    with pytest.raises(ModuleNotFoundError), server_extra():
        raise missing
