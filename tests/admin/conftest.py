"""A gateway with an admin listener."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.callers.conftest import open_teams
from tests.conftest import Account, Gateway, OpenGateway, profiles

__all__ = ["open_teams"]

ADMIN = {"listen": "127.0.0.1:0"}
WATCH = {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02}
OpenObserved = Callable[..., Awaitable[Gateway]]


@pytest.fixture
def open_observed(account: Account, open_gateway: OpenGateway) -> OpenObserved:
    """Opens a gateway with these settings and profiles, and an admin listener."""

    async def open_one(profile: dict[str, Any] | None = None, **settings: Any) -> Gateway:
        configured = profiles(account)
        configured["openai"] |= profile or {}
        return await open_gateway(
            {
                "providers": configured,
                "default_provider": "openai",
                "watch": WATCH,
                "admin": ADMIN,
                **settings,
            }
        )

    return open_one


@pytest.fixture
async def observed(open_observed: OpenObserved) -> Gateway:
    """One with the four profiles."""
    return await open_observed()
