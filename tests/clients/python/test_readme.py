"""What the Python client's README says runs by copy and paste, from the packed wheel in a fresh place."""

import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchgate_client import AsyncClient, Client
from batchgate_sandbox.server import SandboxServer
from tests.polyglot.world import plain_gateway

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "clients/python/README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
OUTPUT = (
    r"(validating|in_progress|finalizing|completed) .*\n(.*\n)*a True \{.*\n",
    r"(row-\d+ True\n){100}",
    r"line 1 method missing_required_parameter: method is missing\n",
)


def test_each_call_of_the_table_is_a_method() -> None:
    table = README.partition("<!-- litellm")[2].partition("<!-- /litellm")[0]
    called = set(re.findall(r"client\.(\w+)\(", table))
    assert len(called) > 12
    for name in called:
        assert callable(getattr(Client, name))
        assert callable(getattr(AsyncClient, name))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has the packed client and nothing else of ours."""
    directory = tmp_path_factory.mktemp("wheel")
    quiet = ("--quiet", "--disable-pip-version-check", "--constraint", ".ci/constraints.txt")
    subprocess.run(
        (sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "--wheel-dir", directory, "."),
        cwd=ROOT,
        check=True,
    )
    (wheel,) = directory.glob("batchgate-*.whl")
    venv.create(directory / "venv", with_pip=True)
    interpreter = directory / "venv" / "bin" / "python"
    subprocess.run((interpreter, "-m", "pip", "install", *quiet, wheel), cwd=ROOT, check=True)
    return interpreter


@pytest.fixture(scope="module")
def address(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with plain_gateway(sandbox.url, tmp_path_factory.mktemp("gateway")) as address:
        yield address


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_run(python: Path, address: str, tmp_path: Path, number: int) -> None:
    done = subprocess.run(
        (python, "-c", EXAMPLES[number].replace("127.0.0.1:50051", address)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(OUTPUT[number], done.stdout), done.stdout


@pytest.mark.slow
def test_the_wheel_alone_has_no_server(python: Path) -> None:
    done = subprocess.run(
        (python, "-m", "batchgate_client", "serve"), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install 'batchgate[server]'" in done.stderr
