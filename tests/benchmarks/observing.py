"""What metrics take of calls. `python -m tests.benchmarks.observing`.

Both gateways are the same, but one has an admin listener; nobody scrapes it meanwhile.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator

from tests.benchmarks import paired, processes
from tests.benchmarks.figures import Figure, table

PROGRAMS = {
    "with": (*processes.GATEWAY, "--admin", "127.0.0.1:0"),
    "without": processes.GATEWAY,
}


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """The two costs, and how much more the one with metrics is in each pair."""
    yield from paired.figures(PROGRAMS, what="metrics", repeats=repeats, calls=calls)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--calls", type=int, default=4000)
    options = parser.parse_args()
    shown = list(table("Metrics", figures(repeats=options.repeats, calls=options.calls)))
    sys.exit(statistics.median(shown[-1].values) > 3)
