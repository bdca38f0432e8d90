"""A file of 180 MB from each language's client, in turns: `python -m tests.benchmarks.clients`.

All go through one gateway to a provider that keeps nothing. Each process uploads twice before it is
measured. Languages whose tools are missing are left out.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table
from tests.benchmarks.processes import CHUNK_BYTES, FILE_CHUNKS
from tests.benchmarks.transfers import ANSWER, MEGABYTES

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "uploads"
JAVA = ("sh", "io.batchgate.UploadBenchmark")
WRITTEN_CLASSPATH = ("dependency:build-classpath", "-Dmdep.outputFile=target/classpath")
WARM_UP = 2
CLASSPATH = "target/test-classes:target/classes"


@dataclass(frozen=True)
class Uploader:
    """One client's program: how it is made and run, and the tools for that."""

    name: str
    run: tuple[str, ...]
    cwd: Path = ROOT
    build: tuple[tuple[str, ...], ...] = ()
    tools: tuple[str, ...] = ()


UPLOADERS = (
    Uploader("Python", (sys.executable, "-m", "tests.benchmarks.upload_program")),
    Uploader("Python, async", (sys.executable, "-m", "tests.benchmarks.upload_program")),
    Uploader(
        "Go",
        (str(BUILD / "go"),),
        cwd=ROOT / "clients" / "go",
        build=(("go", "build", "-o", str(BUILD / "go"), "./internal/uploads"),),
        tools=("go",),
    ),
    Uploader(
        "TypeScript",
        ("node", "dist-test/benchmark/uploads.js"),
        cwd=ROOT / "clients" / "typescript",
        build=(
            ("npm", "install", "--no-audit", "--no-fund", "--silent"),
            ("npm", "run", "--silent", "build:test"),
        ),
        tools=("node", "npm"),
    ),
    Uploader(
        "Java",
        ("sh", "-c", f'exec java -cp "{CLASSPATH}:$(cat target/classpath)" "$@"', *JAVA),
        cwd=ROOT / "clients" / "java",
        build=(("mvn", "-q", "-ntp", "test-compile", *WRITTEN_CLASSPATH),),
        tools=("java", "mvn"),
    ),
)


def figures(*, rounds: int, times: int) -> Iterator[Figure]:
    """MB/s of each client that can be built here."""
    present = [one for one in UPLOADERS if all(processes.tool(name) for name in one.tools)]
    for one in present:
        for command in one.build:
            subprocess.run(command, cwd=one.cwd, check=True)
    rates: dict[str, list[float]] = {one.name: [] for one in present}
    with (
        tempfile.NamedTemporaryFile(suffix=".bin") as file,
        processes.canned_provider(ANSWER) as provider,
        processes.gateway(provider) as gateway,
    ):
        for _ in range(FILE_CHUNKS):
            file.write(b"x" * CHUNK_BYTES)
        file.flush()
        for _ in range(rounds):
            for one in present:
                arguments = [*one.run, gateway.address, file.name, str(times + WARM_UP)]
                arguments += ["async"] if one.name.endswith("async") else []
                done = subprocess.run(arguments, cwd=one.cwd, check=True, stdout=subprocess.PIPE)
                rates[one.name] += [MEGABYTES / each for each in json.loads(done.stdout)[WARM_UP:]]
    for name, found in rates.items():
        yield Figure(f"upload of 180 MB from {name}", "MB/s", found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--times", type=int, default=3, help="measured uploads of each process")
    given = parser.parse_args()
    found = list(table("Clients", figures(rounds=given.rounds, times=given.times)))
    python = found[0].median
    for figure in found[1:]:
        say(f"  {figure.name}: {figure.median / python:.2f} times Python's")
