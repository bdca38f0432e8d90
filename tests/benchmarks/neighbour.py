"""GetBatch while another program is busy on the gateway's core: `python -m tests.benchmarks.neighbour`.

The kernel gives each of the two half of the core. What more the neighbour gets, the gateway has
given away (`interceptors/yielding.py`). Rates alone and beside it take turns.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table
from tests.benchmarks.unary import BATCH, CALLERS, GATEWAY_CORE, OTHERS_CORE, Run, h2load


@contextmanager
def neighbour() -> Iterator[None]:
    """A program that always has something to do, on the gateway's core."""
    command = [sys.executable, "-c", "while True: pass"]
    with processes.on_core(GATEWAY_CORE):
        process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """All of this module's figures; none without nginx and h2load."""
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    if not (loader and nginx):
        say("  (left out: it needs h2load and nginx; apt install nghttp2-client nginx-light)")
        return
    beside = {callers: Run() for callers in CALLERS}
    shares: dict[int, list[float]] = {callers: [] for callers in CALLERS}
    with ExitStack() as stack:
        provider = stack.enter_context(processes.nginx_provider(nginx, BATCH, core=OTHERS_CORE))
        gateway = stack.enter_context(processes.gateway(provider, core=GATEWAY_CORE))
        h2load(loader, gateway.address, callers=8, calls=400)
        for _ in range(repeats):
            for callers, run in beside.items():
                alone, seconds = h2load(loader, gateway.address, callers=callers, calls=calls)
                rate = len(alone) / seconds
                with neighbour():
                    spent = gateway.cpu_seconds()
                    durations, seconds = h2load(
                        loader, gateway.address, callers=callers, calls=calls
                    )
                    spent = gateway.cpu_seconds() - spent
                run.add(durations, seconds=seconds, cpu_seconds=spent)
                shares[callers].append(100 * run.rates[-1] / rate)
    for callers, run in beside.items():
        name = f"GetBatch beside a busy program, {callers} at once"
        yield Figure(name, "calls/s", run.rates)
        yield Figure(name, "% of those alone", shares[callers], at_least=25)
        yield Figure(name, "p99 ms", run.slowest_ms)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    list(table("Neighbour", figures(repeats=options.repeats, calls=options.calls)))
