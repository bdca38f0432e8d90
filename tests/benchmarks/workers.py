"""GetBatch through one process and through two: `python -m tests.benchmarks.workers`.

Nobody is bound to a core: the callers (h2load) and the provider (nginx) take their share of all, so
that on two cores two workers cannot be twice as fast.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table
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
    with ExitStack() as stack:
        provider = stack.enter_context(processes.nginx_provider(nginx, BATCH, core=None))
        addresses = {}
        for count in COUNTS:
            program = (*processes.GATEWAY, "--workers", str(count))
            gateway = stack.enter_context(processes.gateway(provider, program=program))
            addresses[count] = gateway.address

        def rate(count: int, calls: int) -> float:
            durations, seconds = h2load(
                loader,
                addresses[count],
                callers=CALLERS_EACH,
                calls=calls,
                clients=CONNECTIONS,
                core=None,
            )
            return len(durations) / seconds

        for count in COUNTS:
            rate(count, 500 * count)
        for _ in range(repeats):
            for count in COUNTS:
                rates[count].append(rate(count, calls))
    one, two = rates.values()
    yield Figure("one process", "calls/s", one)
    yield Figure("two workers", "calls/s", two)
    yield Figure("two against one", "times", [b / a for a, b in zip(one, two, strict=True)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--calls", type=int, default=10000)
    options = parser.parse_args()
    list(table("Workers", figures(repeats=options.repeats, calls=options.calls)))
