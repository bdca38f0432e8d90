"""Compare the transports that httpx can stand on: `python -m tests.benchmarks.transports`.

Each measurement is a process of its own on one core, against a server of its own on another (one
that has served before answers at another speed). The candidates take turns in a rotating order, so
that neither a noisy neighbour nor going first favours one. Rates are given by the clock and by the
measured core's own time, which a waiting server does not spoil. Candidates not installed are left
out. Small answers come from nginx when it is there, all else from a few lines of asyncio.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import uvloop

from batchgate_server.rest.transport import open_transport

MEASURED_CORE, SERVING_CORE = 0, -1
CHUNK = b"x" * 2**18
CHUNKS = 180 * 2**20 // len(CHUNK)
ANSWER = json.dumps({"id": "batch_1", "object": "batch", "metadata": {"padding": "x" * 740}})
NGINX = """
worker_processes 1; worker_cpu_affinity {affinity}; daemon off; pid {folder}/pid;
error_log {folder}/errors; events {{ worker_connections 256; }}
http {{ access_log off; keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port};
    location / {{ default_type application/json; return 200 '{answer}'; }} }} }}
"""
CALLERS = 32
REPEATS = 8  # one body is through in less than 100 ms, too short to time


def _httpcore() -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=64), trust_env=False)


def _httpx_aiohttp() -> httpx.AsyncBaseTransport:
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - may be absent

    transport: httpx.AsyncBaseTransport = AiohttpTransport(
        limits=httpx.Limits(max_connections=64), trust_env=False
    )
    return transport


def _pyreqwest() -> httpx.AsyncBaseTransport:
    from pyreqwest.compatibility.httpx import HttpxTransport  # noqa: PLC0415 - may be absent

    transport: httpx.AsyncBaseTransport = HttpxTransport()
    return transport


CANDIDATES: dict[str, tuple[str, Callable[[], httpx.AsyncBaseTransport]]] = {
    "httpcore": ("httpcore", _httpcore),
    "httpx-aiohttp": ("httpx_aiohttp", _httpx_aiohttp),
    "pyreqwest": ("pyreqwest", _pyreqwest),
    "ours": ("aiohttp", lambda: open_transport(max_connections=64)),
}


# What is measured, inside the measured process


async def calls(
    transport: httpx.AsyncBaseTransport, url: str, callers: int, seconds: float
) -> dict[str, float]:
    """Small reads: calls per second."""
    done = 0
    timeout = {"connect": 5.0, "read": 5.0, "write": 5.0, "pool": 5.0}

    async def caller(until: float) -> None:
        nonlocal done
        while time.perf_counter() < until:
            request = httpx.Request("GET", url, extensions={"timeout": timeout})
            response = await transport.handle_async_request(request)
            await response.aread()
            done += 1

    async def run(seconds: float) -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(caller(until) for _ in range(callers)))

    await run(0.3)
    done, start, spent = 0, time.perf_counter(), time.process_time()
    await run(seconds)
    return {
        "calls/s": done / (time.perf_counter() - start),
        "calls/CPU-s": done / (time.process_time() - spent),
    }


async def uploads(transport: httpx.AsyncBaseTransport, url: str, at_once: int) -> dict[str, float]:
    """Bodies of 180 MB in chunks as large as a gRPC message: MB per second and memory."""

    async def body() -> AsyncIterator[bytes]:
        for number in range(CHUNKS):
            yield bytes([number % 256]) * len(CHUNK)  # fresh memory, as from gRPC

    async def upload() -> None:
        response = await transport.handle_async_request(httpx.Request("POST", url, content=body()))
        assert response.status_code == 200
        await response.aread()

    with peak(REPEATS * at_once) as figures:
        for _ in range(REPEATS):
            await asyncio.gather(*(upload() for _ in range(at_once)))
    return figures


async def download(transport: httpx.AsyncBaseTransport, url: str, _: int) -> dict[str, float]:
    """An answer of 180 MB: MB per second, memory, and the chunks as they come."""
    sizes: list[int] = []
    with peak(REPEATS) as figures:
        for _ in range(REPEATS):
            response = await transport.handle_async_request(httpx.Request("GET", f"{url}/content"))
            sizes.extend([len(chunk) async for chunk in response.aiter_raw()])
    assert sum(sizes) == REPEATS * CHUNKS * len(CHUNK)
    figures |= {"chunk KiB": statistics.median(sizes) / 1024, "largest KiB": max(sizes) / 1024}
    return figures


@contextlib.contextmanager
def peak(bodies: int) -> Iterator[dict[str, float]]:
    """Rates by the clock and by CPU time, and the highest memory over what was there before."""

    def memory(line: str) -> float:
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split(f"{line}:")[1].split()[0]) / 1024

    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before, start, spent = memory("VmRSS"), time.perf_counter(), time.process_time()
    figures: dict[str, float] = {}
    yield figures
    size = bodies * CHUNKS * len(CHUNK) / 2**20
    figures |= {
        "MB/s": size / (time.perf_counter() - start),
        "MB/CPU-s": size / (time.process_time() - spent),
        "MiB": memory("VmHWM") - before,
    }


async def measure(
    candidate: str, what: str, url: str, argument: int, seconds: float
) -> dict[str, float]:
    async with CANDIDATES[candidate][1]() as transport:
        if what == "calls":
            return await calls(transport, url, argument, seconds)
        await (await transport.handle_async_request(httpx.Request("GET", url))).aread()
        return await (uploads if what == "uploads" else download)(transport, url, argument)


# The servers


@contextlib.contextmanager
def serving() -> Iterator[tuple[str, str]]:
    """Give the URLs for small answers and for large ones."""
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as found:
            ports.append(found.getsockname()[1])
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        commands = [
            [sys.executable, "-m", "tests.benchmarks.canned", str(ports[0]), str(CHUNKS), ANSWER]
        ]
        if nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin"):
            affinity = f"{1 << cores()[SERVING_CORE]:b}"
            Path(folder, "conf").write_text(
                NGINX.format(affinity=affinity, folder=folder, port=ports[1], answer=ANSWER),
                encoding="ascii",
            )
            commands.append([nginx, "-p", folder, "-c", f"{folder}/conf"])
        for command, port in zip(commands, ports, strict=False):
            process = stack.enter_context(subprocess.Popen(command))
            stack.callback(process.terminate)
            while not listening(port):
                time.sleep(0.05)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        yield urls[len(commands) - 1], urls[0]


def listening(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


# The comparison


def myself(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.transports", *map(str, arguments)]


def compare(rounds: int, seconds: float) -> None:
    names = [name for name, (module, _) in CANDIDATES.items() if importlib.util.find_spec(module)]
    for title, what, argument in (
        ("reads, 1 caller", "calls", 1),
        (f"reads, {CALLERS} callers", "calls", CALLERS),
        ("upload, 180 MB", "uploads", 1),
        ("upload, 4 x 180 MB", "uploads", 4),
        ("download, 180 MB", "download", 1),
    ):
        results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for turn in range(rounds):
            first = turn % len(names)
            for name in names[first:] + names[:first]:
                with serving() as (small, large):
                    url = small if what == "calls" else large
                    command = myself("--measure", name, what, url, argument, seconds)
                    results[name].append(json.loads(subprocess.check_output(command)))
        report(title, results)


def report(title: str, results: dict[str, list[dict[str, float]]]) -> None:
    sys.stdout.write(f"\n{title}: median of {len(next(iter(results.values())))} (lowest-highest)\n")
    base: dict[str, float] = {}
    for name, figures in results.items():
        line = f"  {name:14}"
        for unit in figures[0]:
            values = [each[unit] for each in figures]
            middle = statistics.median(values)
            ratio = middle / base.setdefault(unit, middle) if base.get(unit, 1) else 1
            spread = f"({min(values):.0f}-{max(values):.0f})"
            line += f" {middle:7.0f} {unit} {spread:13} x{ratio:<5.2f}"
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="length of a run of reads")
    parser.add_argument("--measure", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        os.sched_setaffinity(0, {cores()[MEASURED_CORE]})
        name, what, url, argument, seconds = options.measure
        figures = uvloop.run(measure(name, what, url, int(argument), float(seconds)))
        sys.stdout.write(json.dumps(figures))
    else:
        compare(options.rounds, options.seconds)


if __name__ == "__main__":
    main()
