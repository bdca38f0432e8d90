"""The Java client: its own tests against a gateway."""

import re
from pathlib import Path

import pytest

from tests.polyglot.commands import carried_out
from tests.polyglot.lives import Lives
from tests.polyglot.programs import build
from tests.tools import tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
CLIENT = ROOT / "clients" / "java"
COUNTS = r"Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)"
MAVEN = ("mvn", "-q", "-ntp", "-B")


@pytest.fixture(scope="module", autouse=True)
def java() -> None:
    for name in ("java", "mvn"):
        tool(name)


def test_its_tests(lives: Lives) -> None:
    # With the rest goes what the conformance program was built into.
    build.cache_clear()
    carried_out(*MAVEN, "clean", "test", cwd=CLIENT, **lives.environment())
    reports = list((CLIENT / "target" / "surefire-reports").glob("*.txt"))
    told = "".join(report.read_text() for report in reports)
    runs = [list(map(int, one)) for one in re.findall(COUNTS, told)]
    assert sum(run for run, *_ in runs) >= 29, told
    assert not sum(sum(others) for _, *others in runs), told
