"""All benchmarks of the gateway, as one table: `python -m tests.benchmarks [--quick]`.

Exits with 1 if a target is missed. The transports below the gateway are compared by
`python -m tests.benchmarks.transports`.
"""

import argparse
import os
import platform
import sys
from itertools import chain

from tests.benchmarks import (
    checks,
    holds,
    neighbour,
    observing,
    overload,
    retrying,
    startup,
    submit,
    transfers,
    trust,
    unary,
    workers,
)
from tests.benchmarks.figures import say, table


def main() -> int:
    """Measure all, and say what was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats: a first impression")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    say(
        f"Python {platform.python_version()}, {len(os.sched_getaffinity(0))} cores, shared by the "
        f"gateway, its callers and the provider; load before: {load:.1f}"
    )
    measured = chain(
        table("Start", startup.figures(repeats=2 if quick else 9)),
        table(
            "Unary, the gateway on one core",
            unary.figures(repeats=2 if quick else 7, calls=2000 if quick else 8000),
        ),
        table(
            "Retries and breaker, where nothing fails",
            retrying.figures(repeats=4 if quick else 20, calls=2000 if quick else 4000),
        ),
        table(
            "Metrics, with nobody who scrapes",
            observing.figures(repeats=4 if quick else 20, calls=2000 if quick else 4000),
        ),
        table(
            "Callers, limits and audit",
            trust.figures(repeats=2 if quick else 10, calls=1000 if quick else 3000),
        ),
        table(
            "Twice what it can carry, the gateway on one core",
            overload.figures(repeats=1 if quick else 5, seconds=6 if quick else 8),
        ),
        table(
            "Beside a busy program on its core",
            neighbour.figures(repeats=2 if quick else 5, calls=1000 if quick else 2000),
        ),
        table(
            "Workers, on all cores with their callers and the provider",
            workers.figures(repeats=2 if quick else 7, calls=4000 if quick else 10000),
        ),
        table("Transfers", transfers.figures(repeats=2 if quick else 9)),
        table("Checked uploads", checks.figures(repeats=2 if quick else 9)),
        table(
            "Beside a line that takes long to look at",
            holds.figures(repeats=2 if quick else 5, seconds=3 if quick else 5),
        ),
        table("SubmitBatch", submit.figures(repeats=2 if quick else 7)),
    )
    missed = [figure for figure in measured if figure.verdict == "missed"]
    for figure in missed:
        say(f"missed: {figure.name}, {figure.unit}: {figure.median:.4g}, not {figure.target}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
