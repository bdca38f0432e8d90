"""A gateway for the tests of other languages; and how many steps which programs have done, at the end."""

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest

from batchgate_sandbox.server import SandboxServer
from tests.polyglot.lives import Lives, gateway_with_lives
from tests.polyglot.tally import STEPS


@pytest.fixture
def lives(sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    """A gateway that can be killed and started again."""
    directory = tmp_path_factory.mktemp("lives")
    with gateway_with_lives(sandbox.url, directory, key=f"sk-{uuid.uuid4().hex}") as lives:
        yield lives


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
