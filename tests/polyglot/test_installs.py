"""The READMEs' install steps and first examples, word by word, in an empty folder outside of the checkout.

Twice in a row, against one gateway: what the first time has left behind does not stop the second.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.polyglot.commands import carried_out
from tests.polyglot.lives import Lives
from tests.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
STATES = r"(validating|in_progress|finalizing|completed)"


@dataclass(frozen=True)
class Example:
    """One client's README: where its blocks of each language go, and what its example prints."""

    language: str
    files: dict[str, str]
    tools: tuple[str, ...]
    prints: str

    def carry_out(self, directory: Path, address: str, **variables: str) -> str:
        """Does what the README says, from its top to the first example; what that printed."""
        told = ""
        for kind, text in self.steps():
            if kind == "sh":
                told = _shell(text, directory, **variables)
                continue
            path = directory / self.files[kind]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("127.0.0.1:50051", address))
        return told

    def steps(self) -> Iterator[tuple[str, str]]:
        """The blocks up to the command that runs the example."""
        text = (ROOT / "clients" / self.language / "README.md").read_text()
        wanted = {*self.files}
        for kind, block in BLOCK.findall(text):
            yield kind, block
            wanted.discard(kind)
            if not wanted and kind == "sh":
                return


EXAMPLES = (
    Example("go", {"go": "main.go"}, ("go",), rf"({STATES} .*\n)+a true \{{.*\n"),
    Example(
        "typescript",
        {"ts": "hello.ts"},
        ("node", "npm"),
        rf"({STATES} .*\n)+a true \{{\"statusCode\":200.*\n",
    ),
    Example(
        "java",
        {"xml": "pom.xml", "java": "src/main/java/Hello.java"},
        ("java", "mvn"),
        rf"({STATES}\n)+a true\n",
    ),
)


def _shell(text: str, directory: Path, **variables: str) -> str:
    path = f"{os.environ['PATH']}:{ROOT / 'build/tools/bin'}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=directory,
        env={**os.environ, "PATH": path, "BATCHGATE": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    # Maven resets the colours of a terminal even where there is none.
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.language)
def test_what_the_readme_says_works_and_again(
    example: Example, lives: Lives, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in example.tools:
        tool(name)
    for time in ("once", "again"):
        directory = tmp_path_factory.mktemp(f"{example.language}-{time}")
        assert ROOT not in directory.parents
        told = example.carry_out(directory, lives.address)
        assert re.fullmatch(example.prints, told), told


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the checkout, in place of the one of the registry."""
    directory = tmp_path_factory.mktemp("wheel")
    carried_out(
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"),
        *(str(directory), str(ROOT)),
        cwd=directory,
    )
    (built,) = directory.glob("batchgate-*.whl")
    return built


def test_what_pythons_readme_says_works_and_again(
    lives: Lives, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = (ROOT / "clients" / "python" / "README.md").read_text()
    assert text.split("`")[1] == "pip install batchgate"
    program = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)[0]
    for time in ("once", "again"):
        directory = tmp_path_factory.mktemp(f"python-{time}")
        (directory / "hello.py").write_text(program.replace("127.0.0.1:50051", lives.address))
        constraints = ROOT / ".ci" / "constraints.txt"
        _shell(
            f"{sys.executable} -m venv venv\n"
            f"venv/bin/pip install --quiet --disable-pip-version-check -c {constraints} {wheel}",
            directory,
        )
        told = _shell("venv/bin/python hello.py", directory, PYTHONPATH="")
        assert re.fullmatch(rf"({STATES} .*\n)+a True \{{.*\n", told), told
