"""What retries and the breaker take of calls that go well. `python -m tests.benchmarks.retrying`.

Two gateways on one core take turns with the same calls; the other one, `bare`, has neither. Compared
is the CPU time of a call, pair by pair: it is what a call costs, whoever else uses the machine.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import uvloop

from tests.benchmarks import processes, unary
from tests.benchmarks.figures import Figure, table

BARE = (sys.executable, "-m", "tests.benchmarks.bare", "serve")
CALLERS = 8


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """The two costs, and how much more the whole gateway's is in each pair."""
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    costs: dict[str, list[float]] = {"with": [], "without": []}
    with ExitStack() as stack:
        provider = stack.enter_context(
            processes.nginx_provider(nginx, unary.BATCH, core=unary.OTHERS_CORE)
            if nginx
            else processes.canned_provider(unary.BATCH)
        )
        programs = {"with": processes.GATEWAY, "without": BARE}
        gateways = {
            name: stack.enter_context(
                processes.gateway(provider, core=unary.GATEWAY_CORE, program=program)
            )
            for name, program in programs.items()
        }

        def cost(gateway: processes.Gateway, calls: int) -> float:
            spent = gateway.cpu_seconds()
            if loader:
                durations, _ = unary.h2load(loader, gateway.address, callers=CALLERS, calls=calls)
            else:
                with processes.on_core(unary.OTHERS_CORE):
                    durations, _ = uvloop.run(
                        unary.own_callers(gateway.address, callers=CALLERS, calls=calls)
                    )
            return (gateway.cpu_seconds() - spent) / len(durations) * 1e6

        for gateway in gateways.values():
            cost(gateway, 1000)
        for turn in range(repeats):
            for name in ("with", "without") if turn % 2 else ("without", "with"):
                costs[name].append(cost(gateways[name], calls))
        for gateway in gateways.values():
            if gateway.calls_logged_ok() != 1000 + repeats * calls:
                sys.exit("some calls did not end with gRPC status 0: no figures")
    for name, values in costs.items():
        yield Figure(f"GetBatch, {name} retries and breaker", "CPU us", values)
    pairs = zip(costs["with"], costs["without"], strict=True)
    yield Figure("more, in pairs", "%", [(a / b - 1) * 100 for a, b in pairs], at_most=3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--calls", type=int, default=4000)
    options = parser.parse_args()
    shown = list(table("Retries", figures(repeats=options.repeats, calls=options.calls)))
    sys.exit(statistics.median(shown[-1].values) > 3)
