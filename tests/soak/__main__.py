"""Hours in short: mixed load with a fault now and then, and what the gateway holds meanwhile.

`make soak`, or `SOAK_SECONDS=… python -m tests.soak`: prints what it saw, draws it to
`build/soak.svg`, and fails if something grew or an invariant did not hold. The load is that of
`tests.chaos`: uploads, batches, watches, results, downloads, some cut short by callers; every round
the provider's key is another one, and the configuration is read again.
"""

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles

import pytest

from tests.chaos.faults import OF_THE_PROVIDER, ON_THE_WAYS, hand
from tests.chaos.journal import Attempt
from tests.chaos.processes import ROOT, Vitals
from tests.chaos.scene import Run, Scene
from tests.chaos.toxiproxy import PROGRAM
from tests.soak.growth import Allowed, Growth, Series, growth
from tests.soak.picture import Panel, picture
from tests.tools import tool

SECONDS = float(os.environ.get("SOAK_SECONDS", "1200"))
ROUND_SECONDS = min(60.0, SECONDS / 6)
THINK_SECONDS = 0.2
# Each window of the latencies has so many of a run's seconds.
WINDOW_SECONDS = SECONDS / 60
PICTURE = ROOT / "build" / "soak.svg"
# Calls that take no longer than the provider does.
UNARY = {"GetBatch", "ListBatches", "ListFiles", "ListProviders"}
# A fault every few seconds: leaks live where things go wrong.
FAULTS = [
    replace(fault, hold=(0.1, 0.5), pause=(1.0, 4.0)) for fault in OF_THE_PROVIDER + ON_THE_WAYS
]
# Of the median; a shared machine is not always equally fast.
ALLOWED = {
    "memory": Allowed(amount=16.0),
    "descriptors": Allowed(amount=8.0),
    "tasks": Allowed(amount=8.0),
    "threads": Allowed(amount=4.0),
    "p50": Allowed(share=0.5, amount=5.0),
    "p95": Allowed(share=1.0, amount=25.0),
}


@dataclass
class Record:
    """All that was measured. Times are seconds since the begin."""

    begun: float = field(default_factory=time.monotonic)
    vitals: list[tuple[float, Vitals]] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def series(self, of: Callable[[Vitals], float]) -> Series:
        """One of the vitals over time."""
        return [(at, of(vitals)) for at, vitals in self.vitals]

    def latencies(self) -> dict[str, Series]:
        """Percentiles of good unary calls in milliseconds, window by window."""
        windows: dict[int, list[float]] = {}
        for attempt in self.attempts():
            if attempt.kind in UNARY and attempt.end.ok:
                window = int((attempt.begun - self.begun) / WINDOW_SECONDS)
                windows.setdefault(window, []).append(attempt.lasted * 1000)
        lines: dict[str, list[tuple[float, float]]] = {"p50": [], "p95": [], "p99": []}
        for window, values in sorted(windows.items()):
            if len(values) > 1:
                cuts = quantiles(values, n=100, method="inclusive")
                for name, line in lines.items():
                    line.append(((window + 0.5) * WINDOW_SECONDS, cuts[int(name[1:]) - 1]))
        return dict(lines)

    def attempts(self) -> list[Attempt]:
        """All calls."""
        return [attempt for run in self.runs for attempt in run.journal.attempts]


def measure(scene: Scene, record: Record, stop: threading.Event) -> None:
    """Note the gateway's vitals every now and then, until told to stop."""
    while not stop.wait(SECONDS / 600):
        record.vitals.append((time.monotonic() - record.begun, scene.gateway.vitals()))


def soak(scene: Scene) -> Record:
    """Work round after round."""
    record = Record()
    stop = threading.Event()
    measuring = threading.Thread(target=measure, args=(scene, record, stop))
    measuring.start()
    try:
        while time.monotonic() - record.begun < SECONDS:
            seed = f"soak-{len(record.runs)}"
            run = scene.run(
                seed,
                hand(FAULTS, seed=seed),
                seed=seed,
                seconds=ROUND_SECONDS,
                think_seconds=THINK_SECONDS,
            )
            record.runs.append(run)
            scene.account.empty()
            scene.renew_account()
    finally:
        stop.set()
        measuring.join()
    return record


def panels(record: Record) -> list[Panel]:
    """What is drawn, with the growth of what is bounded."""

    def panel(title: str, lines: dict[str, Series]) -> Panel:
        bounded = {
            name: growth(line, ALLOWED[name]) for name, line in lines.items() if name in ALLOWED
        }
        return Panel(title, lines, bounded)

    return [
        panel("Memory, MiB", {"memory": record.series(lambda one: one.memory)}),
        panel(
            "Descriptors",
            {
                "descriptors": record.series(lambda one: one.descriptors),
                "connections": record.series(lambda one: one.callers + one.pooled),
            },
        ),
        panel(
            "Tasks and threads",
            {
                "tasks": record.series(lambda one: one.tasks),
                "threads": record.series(lambda one: one.threads),
            },
        ),
        panel("Unary calls, ms", record.latencies()),
    ]


def told(name: str, found: Growth) -> str:
    """A line about one of the bounded ones."""
    verdict = "" if found.bounded else "   <-- GREW"
    return (
        f"{name:<12} first third {found.first:8.2f}   last third {found.last:8.2f}   "
        f"at most {found.most:8.2f}{verdict}"
    )


def report(record: Record) -> Sequence[str]:
    """Draw the picture, tell what was seen, and return what was wrong."""
    drawn = panels(record)
    ends = Counter(str(attempt.end) for attempt in record.attempts())
    faults = sum(run.inflicted.total() for run in record.runs)
    subtitle = (
        f"{record.vitals[-1][0] / 60:.1f} minutes, {ends.total()} calls, {faults} faults; "
        "compared are the medians of the shaded thirds"
    )
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture("The gateway under lasting load", subtitle, drawn))
    growths = {name: one for panel in drawn for name, one in panel.growths.items()}
    lines = [subtitle, *(f"{count:8} {end}" for end, count in ends.most_common())]
    lines += [told(name, one) for name, one in growths.items()]
    violations = [str(run.verdict) for run in record.runs if run.verdict.violations]
    lines += [*violations, f"drawn to {PICTURE.relative_to(ROOT)}"]
    print("\n".join(lines))  # noqa: T201
    return [*(name for name, one in growths.items() if not one.bounded), *violations]


def main() -> None:
    """Soak, and end with 1 if something was wrong."""
    try:
        tool(PROGRAM)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        sys.exit(f"{missing}; RELIABILITY.md says how to get it")
    with (
        tempfile.TemporaryDirectory(prefix="batchgate-soak-") as directory,
        Scene(Path(directory)) as scene,
    ):
        wrong = report(soak(scene))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
