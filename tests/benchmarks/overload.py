"""More than a gateway on one core can carry: `python -m tests.benchmarks.overload`.

Calls begin at a rate, whether others have been answered or not. First at rates around what the
gateway carries, to find the most that it serves in a second; then at twice that. The calls of the
first seconds, in which the gateway finds out, are not counted in the delays.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import uvloop

from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, say, table
from tests.benchmarks.open_loop import Outcome, offer
from tests.benchmarks.unary import BATCH, GATEWAY_CORE, METHOD, OTHERS_CORE, REQUEST

OK, RESOURCE_EXHAUSTED = 0, 8
# Of what was served before, to find the rate at which the most is.
RATES = (1.0, 1.25, 1.5)
FIRST_GUESS = 1200.0
FINDING_OUT_SECONDS = 3.0


def offered(address: str, *, rate: float, seconds: float) -> Outcome:
    """What becomes of calls at this rate."""
    with processes.on_core(OTHERS_CORE):
        outcome = uvloop.run(
            offer(address, METHOD, REQUEST.SerializeToString(), rate=rate, seconds=seconds)
        )
    if outcome.unanswered or set(outcome.answers) - {OK, RESOURCE_EXHAUSTED}:
        sys.exit(f"calls that ended otherwise: {outcome.summary()}")
    return outcome


def figures(*, repeats: int, seconds: float) -> Iterator[Figure]:
    """All of this module's figures; best rate and overload take turns."""
    nginx = processes.tool("nginx")
    if not nginx:
        say("  (nginx is missing: a canned provider in Python instead; apt install nginx-light)")
    best: list[float] = []
    served: list[float] = []
    shares: list[float] = []
    delays: dict[tuple[int, int], list[float]] = {}
    with ExitStack() as stack:
        provider = stack.enter_context(
            processes.nginx_provider(nginx, BATCH, core=OTHERS_CORE)
            if nginx
            else processes.canned_provider(BATCH)
        )
        gateway = stack.enter_context(processes.gateway(provider, core=GATEWAY_CORE))
        carried = FIRST_GUESS
        for _ in range(repeats):
            rates = [carried * each for each in RATES]
            found = [offered(gateway.address, rate=rate, seconds=seconds) for rate in rates]
            carried = max(one.rate(OK) for one in found)
            flood = offered(gateway.address, rate=2 * carried, seconds=seconds)
            if RESOURCE_EXHAUSTED not in flood.answers:
                sys.exit(f"nothing was refused, so that it carries more: {flood.summary()}")
            best.append(carried)
            served.append(flood.rate(OK))
            shares.append(100 * flood.rate(OK) / carried)
            for status in (OK, RESOURCE_EXHAUSTED):
                for percent in (50, 99):
                    delay = flood.percentile(status, percent, after=FINDING_OUT_SECONDS)
                    delays.setdefault((status, percent), []).append(delay)
    yield Figure("the most that is served", "calls/s", best)
    yield Figure("served at twice that rate", "calls/s", served)
    yield Figure("served at twice that rate", "% of the most", shares, at_least=90)
    yield Figure("refused, until it is told", "p50 ms", delays[RESOURCE_EXHAUSTED, 50], at_most=50)
    yield Figure("refused, until it is told", "p99 ms", delays[RESOURCE_EXHAUSTED, 99])
    yield Figure("served, until answered", "p50 ms", delays[OK, 50])
    yield Figure("served, until answered", "p99 ms", delays[OK, 99])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    list(table("Overload", figures(repeats=options.repeats, seconds=options.seconds)))
