"""Any faults at any moments, two at a time. `CHAOS_SEED=… make chaos` does the same again.

The seed gives what callers do, which faults come when, and how they are; not how the processes'
own steps fall between them.
"""

import os

import pytest

from tests.chaos.conftest import Judge
from tests.chaos.faults import ALL, FORGETTING, hand
from tests.chaos.scene import Scene

pytestmark = pytest.mark.slow
RUNS = int(os.environ.get("CHAOS_RUNS", "1" if "CHAOS_SEED" in os.environ else "3"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "8"))
# While a provider has forgotten what it was asked, little can be said of what it was asked.
REMEMBERING = [fault for fault in ALL if fault not in FORGETTING]


@pytest.mark.timeout(120 + SECONDS)
@pytest.mark.parametrize("number", range(RUNS))
def test_random(scene: Scene, judge: Judge, seed: str, number: int) -> None:
    seed = seed if number == 0 else f"{seed}.{number}"
    print(f"CHAOS_SEED={seed}")  # noqa: T201
    hands = [hand(REMEMBERING, seed=f"{seed}/{one}") for one in ("left", "right")]
    judge(scene.run(f"random, seed {seed}", *hands, seed=seed, seconds=SECONDS))
