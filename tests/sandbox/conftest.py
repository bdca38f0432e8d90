import uuid
from collections.abc import Callable, Iterator

import httpx
import pytest

from batchgate_sandbox.server import SandboxServer, sandbox_in_thread
from tests.sandbox.door import NAMES, Door


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    with sandbox_in_thread(step=0.005) as server:
        yield server


@pytest.fixture(scope="session")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"key-{uuid.uuid4().hex}"


@pytest.fixture
def door_of(sandbox: SandboxServer, client: httpx.Client, key: str) -> Callable[[str], Door]:
    return lambda name: Door(sandbox.url, key, name, client)


@pytest.fixture(params=NAMES)
def door(request: pytest.FixtureRequest, door_of: Callable[[str], Door]) -> Door:
    """The same test at every flavour."""
    return door_of(request.param)


@pytest.fixture
def openai(door_of: Callable[[str], Door]) -> Door:
    return door_of("openai")


@pytest.fixture
def azure(door_of: Callable[[str], Door]) -> Door:
    return door_of("azure-2024")


@pytest.fixture
def preview(door_of: Callable[[str], Door]) -> Door:
    return door_of("azure-2025")


@pytest.fixture
def azure_v1(door_of: Callable[[str], Door]) -> Door:
    return door_of("azure-v1")
