"""Waiting for what happens elsewhere: by looking often, never by guessing how long it takes."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from tests.conftest import Account

INTERVAL_SECONDS = 0.005
TIMEOUT_SECONDS = 10.0
# gRPC's server always has one of these, waiting for the next call.
ALWAYS_THERE = ("_request_call", "_request_registered_call")


async def eventually(look: Callable[[], Any], *, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
    """What `look` returns, once that is true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_seconds
    while True:
        found = look()
        value = await found if inspect.isawaitable(found) else found
        if value:
            return value
        assert loop.time() < end, f"not within {timeout_seconds} s: {look}"
        await asyncio.sleep(INTERVAL_SECONDS)


def tasks() -> set[asyncio.Task[Any]]:
    """The tasks of this loop, which serves the gateway as well as the test."""
    return {
        task
        for task in asyncio.all_tasks()
        if not getattr(task.get_coro(), "__qualname__", "").endswith(ALWAYS_THERE)
    }


async def no_task_but(before: set[asyncio.Task[Any]]) -> None:
    """Waits until only the tasks of `before` are left."""
    await eventually(lambda: not tasks() - before)


async def uploads_over(account: Account) -> list[dict[str, Any]]:
    """What arrived of uploads, once the sandbox is done with all of them."""

    async def look() -> list[dict[str, Any]] | None:
        posts = [one for one in await account.requests() if one["method"] == "POST"]
        return [{}, *posts] if all(one["aborted"] or one["answered"] for one in posts) else None

    found: list[dict[str, Any]] = await eventually(look)
    return found[1:]


async def all_file_ids(account: Account) -> list[str]:
    """The account's files at the sandbox, with OpenAI and with Azure OpenAI."""
    return [*await account.file_ids(), *await account.file_ids(azure=True)]
