"""Whether something grows: the first and the last third of a long run, compared by their medians."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

# Seconds since the begin, and what was measured.
Series: TypeAlias = Sequence[tuple[float, float]]
# Of a run: what was never used before is loaded, pools fill up.
WARM_UP = 0.2


@dataclass(frozen=True)
class Allowed:
    """How much more the last third may have than the first: a share of it, and a fixed amount."""

    share: float = 0.0
    amount: float = 0.0


@dataclass(frozen=True)
class Growth:
    """What became of a series."""

    first: float
    last: float
    most: float
    """What the last third may have."""
    thirds: tuple[tuple[float, float], tuple[float, float]]
    """Begin and end of both, in seconds."""

    @property
    def bounded(self) -> bool:
        """Whether it did not grow."""
        return self.last <= self.most


def growth(series: Series, allowed: Allowed) -> Growth:
    """How a series grew after the warm-up.

    Raises:
        ValueError: it is too short to tell.
    """
    if len(series) < 2:
        raise ValueError("too few measurements")
    begin, end = series[0][0], series[-1][0]
    begin += (end - begin) * WARM_UP
    third = (end - begin) / 3
    thirds = ((begin, begin + third), (end - third, end))
    parts = [[value for at, value in series if start <= at <= stop] for start, stop in thirds]
    if not all(parts):
        raise ValueError("too few measurements")
    first, last = map(median, parts)
    return Growth(first, last, first * (1 + allowed.share) + allowed.amount, thirds)
