"""Two gateways on one core that take turns with the same calls.

Compared is the CPU time of a call, pair by pair: it is what a call costs, whoever else uses the
machine.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import uvloop

from tests.benchmarks import processes, unary
from tests.benchmarks.figures import Figure

CALLERS = 8
WARMING_CALLS = 1000


def figures(
    programs: Mapping[str, Sequence[str]], *, what: str, repeats: int, calls: int
) -> Iterator[Figure]:
    """The costs of `with` and `without`, and how much more the first is in each pair."""
    loader, nginx = processes.tool("h2load"), processes.tool("nginx")
    costs: dict[str, list[float]] = {"with": [], "without": []}
    with ExitStack() as stack:
        provider = stack.enter_context(
            processes.nginx_provider(nginx, unary.BATCH, core=unary.OTHERS_CORE)
            if nginx
            else processes.canned_provider(unary.BATCH)
        )
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
            cost(gateway, WARMING_CALLS)
        for turn in range(repeats):
            for name in ("with", "without") if turn % 2 else ("without", "with"):
                costs[name].append(cost(gateways[name], calls))
        for gateway in gateways.values():
            if gateway.calls_logged_ok() != WARMING_CALLS + repeats * calls:
                sys.exit("some calls did not end with gRPC status 0: no figures")
    for name, values in costs.items():
        yield Figure(f"GetBatch, {name} {what}", "CPU us", values)
    pairs = zip(costs["with"], costs["without"], strict=True)
    yield Figure("more, in pairs", "%", [(a / b - 1) * 100 for a, b in pairs], at_most=3)
