from collections.abc import Iterator

import pytest

from batchgate_sandbox.server import SandboxServer, sandbox_in_thread


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    with sandbox_in_thread(step=0.005) as server:
        yield server
