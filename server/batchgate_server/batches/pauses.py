"""What comes now and then, with a word when nothing does."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

Item = TypeVar("Item")


async def with_pauses(
    items: AsyncGenerator[Item, None], seconds: float | None
) -> AsyncGenerator[Item | None, None]:
    """The items, and None whenever none has come for so long, if it is said how long.

    One item is fetched ahead. Waiting does not break anything off, and closing this closes `items`.
    """

    async def fetch() -> Item | None:
        return await anext(items, None)

    task = asyncio.create_task(fetch())
    try:
        while True:
            if not task.done():
                await asyncio.wait((task,), timeout=seconds)
                if not task.done():
                    yield None
                    continue
            item = task.result()
            if item is None:
                return
            task = asyncio.create_task(fetch())
            yield item
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await items.aclose()
