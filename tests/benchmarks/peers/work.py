"""What all peers are given to do: the same calls, the same file, and each is seen to do it."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import processes
from tests.benchmarks.peers import trees
from tests.benchmarks.peers.setups import BATCHGATE, Peer, Running
from tests.benchmarks.processes import CHUNK_BYTES, FILE_CHUNKS
from tests.benchmarks.transfers import MEGABYTES
from tests.benchmarks.unary import METHOD, REQUEST

CALLERS = (1, 8, 32)
AT_ONCE = (1, 4)
FILE_BYTES = CHUNK_BYTES * FILE_CHUNKS
OTHERS_CORE = -1
# What curl says at its end, as our own caller does.
TOLD = '{"bytes": %{size_download}, "seconds": %{time_total}}'


@dataclass(frozen=True)
class Calls:
    """Calls in a row, by so many callers."""

    rate: float
    middle_ms: float
    slowest_ms: float
    """The 99th percentile."""


@dataclass(frozen=True)
class Transfer:
    """Files at once."""

    rate: float
    """MB/s of all together."""
    peak: float
    """MiB of memory at the most."""
    cpu_per_gb: float
    """CPU seconds of the gateway for each GB."""


def calls(peer: Peer, running: Running, *, callers: int, count: int) -> Calls:
    """GetBatch, or `GET /v1/batches/batch_1`, by h2load on the other core."""
    command = [processes.tool("h2load") or "h2load", f"--requests={count}"]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command.append(f"--log-file={log}")
        if peer.is_grpc:
            body = Path(folder, "body")
            message = REQUEST.SerializeToString()
            body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
            command += ["--clients=1", f"--max-concurrent-streams={callers}", f"--data={body}"]
            command += ["--header=content-type: application/grpc", "--header=te: trailers"]
            path = METHOD
        else:
            command += ["--h1", f"--clients={callers}"]
            path = "/v1/batches/batch_1"
        command += [f"--header={header}" for header in running.headers]
        with processes.on_core(OTHERS_CORE):
            done = subprocess.run(
                [*command, f"http://{running.address}{path}"], check=True, stdout=subprocess.PIPE
            )
        rows = [[int(cell) for cell in line.split()] for line in log.read_text().splitlines()]
    milliseconds = sorted(micros / 1000 for _, status, micros in rows if status == 200)
    if len(milliseconds) != count:
        sys.exit(f"{peer.name}: not all calls went well\n{done.stdout.decode()}")
    seconds = max(start + micros for start, _, micros in rows) - min(start for start, _, _ in rows)
    return Calls(
        count / (seconds / 1e6),
        milliseconds[len(milliseconds) // 2],
        milliseconds[int(len(milliseconds) * 0.99)],
    )


def answers_well(peer: Peer, running: Running) -> bool:
    """Whether a batch comes as the provider has it."""
    if peer.is_grpc:
        program = "import sys; from batchgate_client import Client; print(Client(sys.argv[1]).get_batch('batch_1').id)"
        command = [sys.executable, "-c", program, running.address]
    else:
        headers = [part for header in running.headers for part in ("-H", header)]
        command = ["curl", "-sS", *headers, f"http://{running.address}/v1/batches/batch_1"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return b"batch_1" in done.stdout


@contextmanager
def big_file() -> Iterator[str]:
    """The path of a file of 180 MB."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        for _ in range(FILE_CHUNKS):
            file.write(b"x" * CHUNK_BYTES)
        file.flush()
        yield file.name


def upload(peer: Peer, running: Running, path: str) -> list[str]:
    """The command of one caller that uploads the file."""
    if peer == BATCHGATE:
        return [sys.executable, "-m", "tests.benchmarks.peers.caller", running.address, path]
    headers = [part for header in running.headers for part in ("-H", header)]
    form = ["-F", "purpose=batch", "-F", f"file=@{path}"]
    shown = ["-o", "/dev/null", "-w", TOLD]
    # Who does not answer 100 is waited for, a second long.
    straight = ["-H", "Expect:"]
    return [
        "curl",
        "-sSf",
        *straight,
        *headers,
        *form,
        *shown,
        f"http://{running.address}/v1/files",
    ]


def download(peer: Peer, running: Running) -> list[str]:
    """The command of one caller that downloads the file; it prints how many bytes came."""
    if peer == BATCHGATE:
        return [sys.executable, "-m", "tests.benchmarks.peers.caller", running.address]
    headers = [part for header in running.headers for part in ("-H", header)]
    shown = ["-o", "/dev/null", "-w", TOLD]
    return ["curl", "-sSf", *headers, *shown, f"http://{running.address}/v1/files/file-1/content"]


def uploaded(told: dict[str, float]) -> bool:
    """Whether a file's description came."""
    return told["bytes"] > 0


def downloaded(told: dict[str, float]) -> bool:
    """Whether all bytes came. Portkey adds a few to a text."""
    return FILE_BYTES <= told["bytes"] < FILE_BYTES + 100


def transfer(
    running: Running,
    command: list[str],
    *,
    at_once: int,
    well: Callable[[dict[str, float]], bool],
) -> Transfer:
    """So many callers at once; the slowest counts, each without the start of its program."""
    gateway = running.process
    spent = trees.cpu_seconds(gateway) if gateway else 0.0
    with trees.peak_of(gateway) if gateway else nullcontext(trees.Peak()) as peak:
        callers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(at_once)]
        texts = [caller.communicate()[0].decode() for caller in callers]
    if any(caller.returncode for caller in callers):
        sys.exit(f"a transfer failed: {texts}")
    told = [json.loads(text) for text in texts]
    if not all(map(well, told)):
        sys.exit(f"a transfer was not whole: {texts}")
    spent = trees.cpu_seconds(gateway) - spent if gateway else 0.0
    seconds = max(one["seconds"] for one in told)
    return Transfer(at_once * MEGABYTES / seconds, peak.memory, spent / (at_once * MEGABYTES / 1e3))
