"""Waits for what the sandbox tells, without sleeping: each look is a call of its own."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.conftest import Account

PATIENCE = 20


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            pass


async def arrived(account: Account, method: str, path: str) -> None:
    """Wait until a request with this method, and this in its path, is at the sandbox."""

    async def there() -> bool:
        requests = await account.requests()
        return any(one["method"] == method and path in one["path"] for one in requests)

    await until(there)
