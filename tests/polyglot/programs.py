"""The conformance programs: how each is built and started. A new language is one entry more."""

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from tests.tools import tool

Json: TypeAlias = Any
ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT = "clients/typescript"
BUILD = ROOT / "build" / "conformance"


@dataclass(frozen=True)
class Program:
    """One language's program of `clients/conformance`.

    `build` holds commands that make it, `run` is the command that takes the run's file; both in the
    checkout's root. `tools` are the programs that they need. `cannot` names operations that the
    client has no way to do.
    """

    name: str
    run: tuple[str, ...]
    build: tuple[tuple[str, ...], ...] = ()
    tools: tuple[str, ...] = ()
    cannot: frozenset[str] = field(default_factory=frozenset)


PROGRAMS = (
    Program("python", run=(sys.executable, "clients/conformance/with_python.py")),
    Program(
        "go",
        build=(("go", "-C", "clients/go", "build", "-o", f"{BUILD}/go", "./internal/conformance"),),
        run=(f"{BUILD}/go",),
        tools=("go",),
    ),
    Program(
        "typescript",
        build=(
            ("npm", "--prefix", TYPESCRIPT, "install", "--no-audit", "--no-fund", "--silent"),
            ("npm", "--prefix", TYPESCRIPT, "run", "--silent", "build:test"),
        ),
        run=("node", f"{TYPESCRIPT}/dist-test/conformance/main.js"),
        tools=("node", "npm"),
    ),
    Program(
        "java",
        build=(
            (
                *("mvn", "-q", "-ntp", "-f", "clients/java", "test-compile"),
                *("dependency:build-classpath", "-Dmdep.outputFile=target/classpath"),
            ),
        ),
        run=("sh", "clients/java/conformance.sh"),
        tools=("java", "mvn"),
    ),
    Program(
        "grpcurl",
        run=(sys.executable, "clients/conformance/with_grpcurl.py"),
        tools=("grpcurl",),
        # Interrupted, it ends without telling how the call did; and it makes one call at a time.
        cannot=frozenset({"CancelWatch", "WatchMany"}),
    ),
)


def one_step(step: Json, **run: Json) -> Json:
    """A run of one step, and what else it holds."""
    return {"variables": {}, "steps": [{"step": "only", **step}], **run}


def started(
    program: Program, run: Json, directory: Path, **variables: str
) -> subprocess.Popen[bytes]:
    """The program at work on a run."""
    build(program)
    file = directory / "run.json"
    file.write_text(json.dumps(run))
    return subprocess.Popen(
        [*program.run, str(file)],
        cwd=ROOT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@functools.cache
def build(program: Program) -> None:
    """Builds a program, once; without its tools the test is skipped."""
    for name in program.tools:
        tool(name)
    for command in program.build:
        built = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        assert built.returncode == 0, (built.stdout + built.stderr).decode()[-3000:]
