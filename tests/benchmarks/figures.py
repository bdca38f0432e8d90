"""Figures of benchmarks, and the table that they make."""

import statistics
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """What was measured, several times, and what it ought to be."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    at_least: float | None = None
    at_most: float | None = None

    @property
    def median(self) -> float:
        """The middle of what was measured."""
        return statistics.median(self.values)

    @property
    def target(self) -> str:
        """The target in words; empty without one."""
        if self.at_least is not None:
            return f">= {self.at_least:,g}"
        return "" if self.at_most is None else f"<= {self.at_most:,g}"

    @property
    def verdict(self) -> str:
        """Whether the median meets the target."""
        if not self.target:
            return ""
        low = self.at_least is not None and self.median < self.at_least
        high = self.at_most is not None and self.median > self.at_most
        return "missed" if low or high else "ok"


def table(title: str, figures: Iterable[Figure]) -> Iterator[Figure]:
    """Print each figure as it is known, and pass it on."""
    say(f"\n{title}")
    say(f"  {'':42}{'median':>9}  {'lowest-highest':19}{'target':11}")
    for figure in figures:
        spread = f"{_short(min(figure.values))}-{_short(max(figure.values))}"
        say(
            f"  {f'{figure.name}, {figure.unit}':42}{_short(figure.median):>9}  "
            f"{spread:19}{figure.target:11}{figure.verdict}".rstrip()
        )
        yield figure


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
