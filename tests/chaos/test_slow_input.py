"""No input takes long to look at: a search for the slowest one. `FUZZ_SECONDS=600` searches long.

Inputs have 1 MiB, and 4 MiB in a long search. `CHAOS_SEED` gives the order of what is tried; what is
kept of it depends on what was measured, so that a failure names the recipe, which says all.
"""

import os
from random import Random

import pytest

from tests.chaos.slow_input import AGAIN, MIB, TARGETS, Found, Target, measured, worst

pytestmark = pytest.mark.slow
SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))
LONG = 60.0
SIZE = MIB if SECONDS < LONG else 4 * MIB
# For a step on 4 MiB: more than ten times of what it takes, since machines differ.
LONGEST = 0.25
# What a provider answers is built whole, in a single call: known, and not to get worse.
LONGEST_OF = {"a result": 12.0, "a failed result": 12.0, "a batch": 6.0}
# Twice the input may take so many times as long; below some milliseconds that says nothing.
GROWTH, FLOOR, DOUBLED = 3, 0.05, 2


@pytest.mark.timeout(120 + SECONDS)
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_no_input_is_slow(target: Target, seed: str) -> None:
    random = Random(f"{seed}/{target.name}")
    slowest, dearest, tried = worst(target, random, size=SIZE, seconds=SECONDS / len(TARGETS))
    print(f"CHAOS_SEED={seed} {target.name}, {tried} tried")  # noqa: T201
    for what, found in (("longest step", slowest), ("most per byte", dearest)):
        again = measured(target, found.recipe, SIZE, times=AGAIN)
        print(f"  {what}: {again}")  # noqa: T201
        ensure_bounded(target, again)
        ensure_linear(target, again)


def ensure_bounded(target: Target, found: Found) -> None:
    bound = LONGEST_OF.get(target.name, LONGEST) * max(found.size, MIB) / (4 * MIB)
    assert found.longest < bound, f"{found.longest:.3f} s in one step: {found.recipe!r}"


def ensure_linear(target: Target, found: Found) -> None:
    """Twice as much may once take far longer, where memory is asked for otherwise; not twice."""
    size, spent = SIZE, [found]
    while len(spent) < DOUBLED + 1:
        size *= 2
        spent.append(measured(target, found.recipe, size, times=AGAIN))
        if spent[-1].whole < max(GROWTH * spent[-2].whole, FLOOR):
            return
    said = ", ".join(f"{one.whole:.3f} s for {one.size} bytes" for one in spent)
    pytest.fail(f"{said}: {found.recipe!r}")
