"""A gateway with two teams."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.callers.door import as_caller, bearer, known
from tests.conftest import Account, Gateway, OpenGateway, profiles

OpenTeams = Callable[..., Awaitable[dict[str, Gateway]]]


@pytest.fixture
async def open_teams(account: Account, open_gateway: OpenGateway) -> AsyncIterator[OpenTeams]:
    """Opens a gateway with these callers; gives the channel of each by its name, "" without any."""
    async with AsyncExitStack() as stack:

        async def open_teams(
            settings: dict[str, Any] | None = None, **callers: dict[str, Any]
        ) -> dict[str, Gateway]:
            every = {
                key: value
                for name, own in callers.items()
                for key, value in known(name, **own).items()
            }
            base = {"providers": profiles(account), "default_provider": "openai"}
            gateway = await open_gateway({**base, "callers": every, **(settings or {})})
            channels = {
                name: await stack.enter_async_context(as_caller(gateway, bearer(name)))
                for name in callers
            }
            return {"": gateway, **channels}

        yield open_teams
