"""The conformance programs: how each is built and started. A new language is one entry more."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

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
        # Interrupted, it ends without telling how the call did.
        cannot=frozenset({"CancelWatch"}),
    ),
)
