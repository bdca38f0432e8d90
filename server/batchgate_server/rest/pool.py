"""The connections of a profile, shared by its callers."""

import asyncio
from typing import NamedTuple

import httpx

from batchgate_server.fairness import FairQueue, Places, Sharer

# Of the connections, those that no upload or download takes: such a one may be held for an hour.
SHORT_PART = 0.1
# Where a request says who shares, and whether it is a transfer.
LANE = "lane"


class Lane(NamedTuple):
    """Requests that are alike: of one caller, and long or short."""

    name: str
    is_transfer: bool
    part: float


NOBODYS = Lane("", is_transfer=False, part=1.0)


def lane(sharer: Sharer, *, is_transfer: bool) -> Lane:
    """Where a request waits, and what it counts as."""
    return Lane(sharer.name, is_transfer, sharer.part)


class ShareTimeout(httpx.PoolTimeout):
    """There are connections, or there is room to wait for one, but not for this caller."""


class Pool:
    """Gives out connections: fairly by caller, and to calls that are short although others are not.

    What a caller holds for uploads and downloads does not count against its other calls.
    """

    def __init__(self, max_connections: int, max_waiting: int) -> None:
        self._connections: Places[Lane] = Places(max_connections)
        self._short = int(max_connections * SHORT_PART)
        self._room: Places[str] = Places(max_waiting)
        self._queue: FairQueue[Lane] = FairQueue()

    async def take(self, request: httpx.Request, seconds: float | None) -> Lane:
        """One for a request, to be given back; waits for it so long at most.

        Raises:
            ShareTimeout: the caller of the request has its share.
            httpx.PoolTimeout: all are in use.
        """
        wanted: Lane = request.extensions.get(LANE, NOBODYS)
        # Those who wait already may not take any, or they would have.
        if self._may_take(wanted):
            self._connections.take(wanted)
        else:
            await self._wait(wanted, request, seconds)
        return wanted

    def give_back(self, lane: Lane) -> None:
        """It is free again, and goes to the next who may have it."""
        self._connections.give_back(lane)
        while served := self._queue.serve(self._may_take):
            self._connections.take(served)

    def _may_take(self, lane: Lane) -> bool:
        return self._connections.may_take(lane, lane.part, reserve=self._reserve(lane))

    def _reserve(self, lane: Lane) -> int:
        return self._short if lane.is_transfer else 0

    async def _wait(self, lane: Lane, request: httpx.Request, seconds: float | None) -> None:
        if not self._room.may_take(lane.name, lane.part):
            raise self._refusal(request, is_share=not self._room.is_full())
        self._room.take(lane.name)
        turn = self._queue.join(lane)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as exc:
            if turn.done() and not turn.cancelled():
                self.give_back(lane)
            else:
                self._queue.leave(lane, turn)
            if isinstance(exc, TimeoutError):
                is_share = not self._connections.is_full(self._reserve(lane))
                raise self._refusal(request, is_share=is_share) from exc
            raise
        finally:
            self._room.give_back(lane.name)

    def _refusal(self, request: httpx.Request, *, is_share: bool) -> httpx.PoolTimeout:
        kind = ShareTimeout if is_share else httpx.PoolTimeout
        return kind("All connections are in use", request=request)
