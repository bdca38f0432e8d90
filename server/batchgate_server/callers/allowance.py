"""How much a caller, or all together, may use: at once, per second and per day.

Counted in the memory of this process: each replica counts by itself, and a restart begins anew.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from math import inf

from batchgate_server.errors import CallerLimit, GatewayOverloaded
from batchgate_server.fairness import NOBODY, Places, Sharer
from batchgate_server.settings import Limits

DAY = 86400
# When a place may be free: nobody knows, so not too late and not at once.
PLACE_SECONDS = 1.0


class Kind(StrEnum):
    """What an RPC counts as; an upload is a call too, a watch is not."""

    CALL = "calls"
    UPLOAD = "uploads"
    WATCH = "watches"


PLACES = {
    Kind.CALL: (Kind.CALL,),
    Kind.UPLOAD: (Kind.CALL, Kind.UPLOAD),
    Kind.WATCH: (Kind.WATCH,),
}


class Allowance:
    """What is left for one caller, or with an empty name for all together."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._places: dict[Kind, Places[str]] = {kind: Places(None) for kind in Kind}
        # A bucket that each call fills by one, and that leaks as fast as calls may begin.
        self._level = 0.0
        self._leaked_at = 0.0
        # Of the day that ends then, by a clock that never jumps.
        self._bytes = 0
        self._day_ends = -inf
        self.limits = limits

    @property
    def limits(self) -> Limits:
        """The limits in force; new ones count at once, with what is running already."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits = limits
        self._places[Kind.CALL].limit = limits.max_calls
        self._places[Kind.UPLOAD].limit = limits.max_uploads
        self._places[Kind.WATCH].limit = limits.max_watches
        # A second's worth, and never less than the one call that is asked for.
        self._depth = max(limits.calls_per_second or 0.0, 1.0)

    @contextmanager
    def using(self, kind: Kind, sharer: Sharer = NOBODY) -> Iterator[None]:
        """Run one RPC of this kind, for one of those who share.

        Raises:
            CallerLimit, GatewayOverloaded: there is no room for it.
        """
        for place in PLACES[kind]:
            self._ensure_place(place, sharer)
        if kind is Kind.UPLOAD:
            self.spend(0)
        self._begin()
        for place in PLACES[kind]:
            self._places[place].take(sharer.name)
        try:
            yield
        finally:
            for place in PLACES[kind]:
                self._places[place].give_back(sharer.name)

    @contextmanager
    def holding(self, kind: Kind, sharer: Sharer) -> Iterator[None]:
        """Have another place for a part of a call that is under way; raises as `using` does."""
        # Only all together have anything to share.
        sharer = NOBODY if self._name else sharer
        self._ensure_place(kind, sharer)
        self._places[kind].take(sharer.name)
        try:
            yield
        finally:
            self._places[kind].give_back(sharer.name)

    def spend(self, size: int) -> None:
        """Count bytes of files, or refuse them; 0 asks whether any are left today.

        Raises:
            CallerLimit, GatewayOverloaded: they are too many for today.
        """
        most = self._limits.bytes_per_day
        if most is None:
            return
        now = time.monotonic()
        if now >= self._day_ends:
            # The clock on the wall only says where midnight is, once a day: one that is put forward
            # and back again neither gives anything anew nor keeps the day from its end.
            self._bytes, self._day_ends = 0, now + DAY - time.time() % DAY
        if self._bytes + max(size, 1) > most:
            self._refuse(
                "bytes_per_day", f"used up its {most} bytes of today (UTC)", self._day_ends - now
            )
        self._bytes += size

    def _ensure_place(self, kind: Kind, sharer: Sharer) -> None:
        places = self._places[kind]
        if places.is_full():
            self._refuse(f"max_{kind}", f"{places.limit} {kind} under way", PLACE_SECONDS)
        if not places.may_take(sharer.name, sharer.part):
            raise _share_is_used(kind)

    def _begin(self) -> None:
        rate = self._limits.calls_per_second
        if rate is None:
            return
        now = time.monotonic()
        self._level = max(0.0, self._level - (now - self._leaked_at) * rate)
        self._leaked_at = now
        if (over := self._level + 1 - self._depth) > 0:
            seconds = min(over / rate, DAY)
            self._refuse("calls_per_second", f"begun {rate:g} calls in this second", seconds)
        self._level += 1

    def _refuse(self, limit: str, what: str, retry_seconds: float) -> None:
        kind = CallerLimit if self._name else GatewayOverloaded
        who = self._name or "the gateway"
        error = kind(f"{who} has {what}, which is its limit", retry_seconds=retry_seconds)
        error.limit = limit
        raise error


def _share_is_used(place: Kind) -> CallerLimit:
    error = CallerLimit(
        f"the caller has its share of the {place} that may be under way for all; "
        f"limits.caller_share and limits.max_{place} allow for more",
        retry_seconds=PLACE_SECONDS,
    )
    error.limit = "caller_share"
    return error
