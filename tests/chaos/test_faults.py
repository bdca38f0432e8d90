"""Each fault by itself, at random moments of a workload, always from the same seed."""

import pytest

from tests.chaos.conftest import Judge
from tests.chaos.faults import ALL, Fault, hand
from tests.chaos.scene import Scene

pytestmark = pytest.mark.slow
SECONDS = 2.0
SEED = "fixed"


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
def test_fault(scene: Scene, judge: Judge, fault: Fault) -> None:
    run = scene.run(fault.name, hand([fault], seed=SEED), seed=SEED, seconds=SECONDS)
    assert run.inflicted
    judge(run)
