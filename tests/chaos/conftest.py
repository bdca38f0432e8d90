"""A scene for all tests of a worker, and the table of what was tried, told at the end."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos.scene import Run, Scene
from tests.chaos.table import Row, table

PROPERTY = "chaos"
Tell = Callable[[Run], None]
Judge = Callable[[Run], None]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Sandbox, gateway and the proxies before them, warm and without a fault."""
    with Scene(tmp_path_factory.mktemp("chaos")) as scene:
        assert not scene.warm_up.verdict.violations, scene.warm_up.verdict
        yield scene


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Puts a run into the table."""

    def work(run: Run) -> None:
        record_property(PROPERTY, json.dumps(Row.of(run).shown()))
        ends = "\n".join(f"  {count:5} {end}" for end, count in run.journal.ends().most_common())
        print(f"{run.name}: {dict(run.inflicted)}, calls ended\n{ends}")  # noqa: T201

    return work


@pytest.fixture
def judge(scene: Scene, tell: Tell) -> Judge:
    """Puts a run into the table, and fails the test if an invariant did not hold."""

    def work(run: Run) -> None:
        tell(run)
        violations = run.verdict.violations
        assert not violations, (
            f"{len(violations)} violations, seed {run.seed} "
            f"(again: CHAOS_SEED={run.seed} make chaos)\n{run.verdict}\n"
            + "\n".join(scene.log_of(str(run.verdict)))
        )

    return work


@pytest.fixture
def seed() -> str:
    """That of a random run: `CHAOS_SEED`, or a new one."""
    return os.environ.get("CHAOS_SEED") or secrets.token_hex(4)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table."""
    rows = [
        Row.read(json.loads(value))
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if rows:
        terminalreporter.section("chaos: what was tried, and what held")
        terminalreporter.write_line(table(rows))
