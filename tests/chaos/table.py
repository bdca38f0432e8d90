"""The table of what was tried: a line for each run, and the sums."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from tests.chaos.checker import INVARIANTS
from tests.chaos.scene import Run

LINE = "{:<52} {:>6} {:>6} {:>6} {:>8} {:>6} {:>8} {:>9} {:>10}"
HEAD = ("fault", "times", "calls", "OK", "batches", "files", "rows", "statuses", "violations")


@dataclass
class Row:
    """One run in numbers."""

    name: str
    seed: str
    times: int
    calls: int
    well: int
    looked_at: dict[str, int]
    violations: int
    inflicted: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> Self:
        """Of a run that is over."""
        ends = run.journal.ends()
        return cls(
            name=run.name,
            seed=run.seed,
            times=run.inflicted.total(),
            calls=ends.total(),
            well=ends["OK"],
            looked_at=dict(run.verdict.looked_at),
            violations=len(run.verdict.violations),
            inflicted=dict(run.inflicted),
        )

    @classmethod
    def read(cls, shown: dict[str, Any]) -> Self:
        """From JSON."""
        return cls(**shown)

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def line(self) -> str:
        """As a line of the table."""
        looks = [self.looked_at.get(one, 0) for one in ("batches", "files", "rows", "statuses")]
        return LINE.format(self.name, self.times, self.calls, self.well, *looks, self.violations)


def table(rows: list[Row]) -> str:
    """All lines; each number under an invariant is how often it was looked at."""
    sums: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for row in rows:
        sums.update(row.looked_at)
        kinds.update(row.inflicted)
    total = Row(
        name=f"all: {kinds.total()} faults of {len(kinds)} kinds",
        seed="",
        times=sum(row.times for row in rows),
        calls=sum(row.calls for row in rows),
        well=sum(row.well for row in rows),
        looked_at=dict(sums),
        violations=sum(row.violations for row in rows),
    )
    looks = ", ".join(f"{name} {sums[name]}" for name in INVARIANTS)
    return "\n".join(
        [
            LINE.format(*HEAD),
            *(row.line() for row in rows),
            total.line(),
            f"looked at: {looks}",
        ]
    )
