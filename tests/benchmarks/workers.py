"""GetBatch through one process and through two: `python -m tests.benchmarks.workers`.

Nobody is bound to a core: the callers (h2load) and the provider (nginx) take their share of all, so
that on two cores two workers cannot be twice as fast. Calls per CPU second are what they would be with
cores of their own.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack

import psutil

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table
from tests.benchmarks.peers import trees
from tests.benchmarks.unary import BATCH, h2load

COUNTS = (1, 2)
# Enough that the system spreads them over the workers about evenly.
CONNECTIONS, CALLERS_EACH = 16, 2


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """All of this module's figures; one and two take turns."""
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    if not loader or not nginx:
        say("  (left out: apt install nghttp2-client nginx-light)")
        return
    rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    cpu_rates: dict[int, list[float]] = {count: [] for count in COUNTS}
    with ExitStack() as stack:
        provider = stack.enter_context(processes.nginx_provider(nginx, BATCH, core=None))
        gateways = {}
        for count in COUNTS:
            program = (*processes.GATEWAY, "--workers", str(count))
            gateways[count] = stack.enter_context(processes.gateway(provider, program=program))

        def measure(count: int, calls: int) -> tuple[float, float]:
            """Calls a second, and per CPU second."""
            tree = psutil.Process(gateways[count].pid)
            before = trees.cpu_seconds(tree)
            durations, seconds = h2load(
                loader,
                gateways[count].address,
                callers=CALLERS_EACH,
                calls=calls,
                clients=CONNECTIONS,
                core=None,
            )
            spent = trees.cpu_seconds(tree) - before
            return len(durations) / seconds, len(durations) / spent

        for count in COUNTS:
            measure(count, 500 * count)
        for _ in range(repeats):
            for count in COUNTS:
                rate, cpu_rate = measure(count, calls)
                rates[count].append(rate)
                cpu_rates[count].append(cpu_rate)
    one, two = rates.values()
    yield Figure("one process", "calls/s", one)
    yield Figure("two workers", "calls/s", two)
    yield Figure("two against one", "times", [b / a for a, b in zip(one, two, strict=True)])
    one, two = cpu_rates.values()
    yield Figure("one process", "calls per CPU second", one)
    yield Figure("two workers", "calls per CPU second", two)
    free = [2 * b / a for a, b in zip(one, two, strict=True)]
    yield Figure("two on cores of their own", "times", free, at_least=1.7)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calls", type=int, default=10000)
    options = parser.parse_args()
    list(table("Workers", figures(repeats=options.repeats, calls=options.calls)))
