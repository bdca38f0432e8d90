"""What retries and the breaker take of calls that go well. `python -m tests.benchmarks.retrying`.

The other gateway, `bare`, has neither.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator

from tests.benchmarks import paired, processes
from tests.benchmarks.figures import Figure, table

BARE = (sys.executable, "-m", "tests.benchmarks.bare", "serve")
PROGRAMS = {"with": processes.GATEWAY, "without": BARE}


def figures(*, repeats: int, calls: int) -> Iterator[Figure]:
    """The two costs, and how much more the whole gateway's is in each pair."""
    yield from paired.figures(PROGRAMS, what="retries and breaker", repeats=repeats, calls=calls)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--calls", type=int, default=4000)
    options = parser.parse_args()
    shown = list(table("Retries", figures(repeats=options.repeats, calls=options.calls)))
    sys.exit(statistics.median(shown[-1].values) > 3)
