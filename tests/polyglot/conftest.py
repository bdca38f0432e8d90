"""Says at the end of a run how many steps the programs of which languages have done."""

from collections import Counter

import pytest

from tests.polyglot.tally import STEPS


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is counted yet."""
    config.stash[STEPS] = Counter()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """One line, where a program has run."""
    if steps := config.stash.get(STEPS, None):
        told = ", ".join(f"{name} {count}" for name, count in steps.items())
        terminalreporter.section("conformance")
        terminalreporter.write_line(f"steps done by {len(steps)} programs: {told}")
