"""GetBatch through a gateway on one core: calls a second. `python -m tests.benchmarks.unary`.

h2load calls and nginx answers, both on another core. The access log is on (JSON, to a file), and
each of its lines with gRPC status 0 must stand for one call of h2load's, else the figures are
refused. Calls per CPU second are what the gateway's core could do if nobody else used it.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvloop

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import batch_service_pb2_grpc
from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table

GATEWAY_CORE, OTHERS_CORE = 0, -1
CALLERS = (1, 8, 32)
BATCH = json.dumps(
    {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "model": "gpt-4o-mini",
        "errors": None,
        "input_file_id": "file-abc123",
        "completion_window": "24h",
        "status": "in_progress",
        "output_file_id": None,
        "error_file_id": None,
        "created_at": 1711471533,
        "in_progress_at": 1711471538,
        "expires_at": 1711557933,
        "finalizing_at": None,
        "completed_at": None,
        "request_counts": {"total": 100, "completed": 95, "failed": 5},
        "usage": {
            "input_tokens": 1500,
            "input_tokens_details": {"cached_tokens": 1024},
            "output_tokens": 500,
            "output_tokens_details": {"reasoning_tokens": 300},
            "total_tokens": 2000,
        },
        "metadata": {"customer_id": "user_123456789", "batch_description": "Nightly eval job"},
    }
)
METHOD = "/batchgate.v1.BatchService/GetBatch"
REQUEST = pb.GetBatchRequest(batch_id="batch_1")


@dataclass
class Run:
    """What callers saw, in one or several runs."""

    rates: list[float] = field(default_factory=list)
    cpu_rates: list[float] = field(default_factory=list)
    middle_ms: list[float] = field(default_factory=list)
    slowest_ms: list[float] = field(default_factory=list)
    """The 99th percentiles."""

    def add(self, milliseconds: list[float], *, seconds: float, cpu_seconds: float) -> None:
        """Add a run, by the duration of each call."""
        percentiles = statistics.quantiles(milliseconds, n=100)
        self.rates.append(len(milliseconds) / seconds)
        self.cpu_rates.append(len(milliseconds) / cpu_seconds)
        self.middle_ms.append(percentiles[49])
        self.slowest_ms.append(percentiles[98])


def h2load(
    program: str,
    address: str,
    *,
    callers: int,
    calls: int,
    method: str = METHOD,
    headers: Sequence[str] = (),
    clients: int = 1,
    core: int | None = OTHERS_CORE,
) -> tuple[list[float], float]:
    """Milliseconds of each call that HTTP knows as a success, and the seconds of all.

    The request is one for a batch, whatever the method; `headers` are further ones. `callers` is how
    many there are on each of the `clients`, which are connections.
    """
    message = REQUEST.SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder, "body"), Path(folder, "log")
        body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
        command = [
            program,
            f"http://{address}{method}",
            f"--clients={clients}",
            f"--requests={calls}",
        ]
        command += [f"--max-concurrent-streams={callers}", f"--data={body}", f"--log-file={log}"]
        command += ["--header=content-type: application/grpc", "--header=te: trailers"]
        command += [f"--header={header}" for header in headers]
        with processes.on_core(core):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows = [[int(cell) for cell in line.split()] for line in log.read_text().splitlines()]
    durations = [micros / 1000 for _, status, micros in rows if status == 200]
    began = min(start for start, _, _ in rows)
    ended = max(start + micros for start, _, micros in rows)
    return durations, (ended - began) / 1e6


async def own_callers(address: str, *, callers: int, calls: int) -> tuple[list[float], float]:
    """The same from callers in this process, which is slower than h2load."""
    durations: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = batch_service_pb2_grpc.BatchServiceStub(channel)

        async def caller() -> None:
            for _ in range(calls // callers):
                start = time.perf_counter()
                await stub.GetBatch(REQUEST)
                durations.append((time.perf_counter() - start) * 1000)

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        return durations, time.perf_counter() - start


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """All of this module's figures; the numbers of callers take turns."""
    runs = {callers: Run() for callers in CALLERS}
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    if not loader:
        say(
            "  (h2load is missing: own callers instead, which are slower; apt install nghttp2-client)"
        )
    if not nginx:
        say("  (nginx is missing: a canned provider in Python instead; apt install nginx-light)")
    with ExitStack() as stack:
        provider = stack.enter_context(
            processes.nginx_provider(nginx, BATCH, core=OTHERS_CORE)
            if nginx
            else processes.canned_provider(BATCH)
        )
        gateway = stack.enter_context(processes.gateway(provider, core=GATEWAY_CORE))

        def load(callers: int, calls: int) -> tuple[list[float], float]:
            if loader:
                return h2load(loader, gateway.address, callers=callers, calls=calls)
            with processes.on_core(OTHERS_CORE):
                return uvloop.run(own_callers(gateway.address, callers=callers, calls=calls))

        load(callers=8, calls=400)
        for _ in range(repeats):
            for callers, run in runs.items():
                before, spent = gateway.calls_logged_ok(), gateway.cpu_seconds()
                durations, seconds = load(callers, calls)
                spent = gateway.cpu_seconds() - spent
                run.add(durations, seconds=seconds, cpu_seconds=spent)
                if gateway.calls_logged_ok() - before != len(durations):
                    sys.exit("some calls did not end with gRPC status 0: no figures")
    for callers, run in runs.items():
        name = f"GetBatch, {callers} at once"
        yield Figure(name, "calls/s", run.rates, at_least=1500)
        yield Figure(name, "calls per CPU second", run.cpu_rates)
        yield Figure(name, "p50 ms", run.middle_ms)
        yield Figure(name, "p99 ms", run.slowest_ms)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", type=int, default=5000)
    options = parser.parse_args()
    list(table("Unary", figures(repeats=options.repeats, calls=options.calls)))
