"""Who uses a provider: one that was replaced closes its connections behind the last of them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from batchgate_server.call import Call


class Users:
    """Counts those who use a provider."""

    def __init__(self) -> None:
        self._count = 0
        self._gone = asyncio.Event()
        self._gone.set()

    def add(self, call: Call) -> None:
        """Count a call, until it ends."""
        self._enter()
        call.at_end.append(self._leave)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one inside of this context."""
        self._enter()
        try:
            yield
        finally:
            self._leave()

    async def gone(self) -> None:
        """Wait until there are none."""
        await self._gone.wait()

    def _enter(self) -> None:
        self._count += 1
        self._gone.clear()

    def _leave(self) -> None:
        self._count -= 1
        if not self._count:
            self._gone.set()
