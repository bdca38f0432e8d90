"""Calls take turns to begin, by caller; while the queue is too long, who makes it so is refused for little.

A loop with too much to do gets round to everything late, also to refusing: gRPC hands it one call
at a time, and the others wait where nobody counts them. So a new call is looked at before a waiting
one begins, and those that have begun go on. Then the queue is here, where its length is known.
"""

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic

import structlog

from batchgate_server.errors import GatewayOverloaded
from batchgate_server.fairness import FairQueue
from batchgate_server.interceptors.chain import Context
from batchgate_server.interceptors.error_status import DETAILS, rich_status
from batchgate_server.interceptors.request_id import HEADER, request_id
from batchgate_server.interceptors.yielding import CoreYield
from batchgate_server.stream_end import read_rest

# A wait to begin that is too long, in seconds, if it lasts. Callers who wait for their answers before
# they ask again do not wait so long before there are hundreds of them.
LONG_SECONDS = 0.1
# So few have begun sooner than they would have come again, however slow the machine is.
FEW_WAITING = 50
# Those that wait hold little, but not nothing.
MOST_WAITING = 2000
# A look for new calls is over when none has come for so many turns of the event loop, of which gRPC
# takes about five to hand one over. On a single core its threads may not have brought all of them by
# then, so that now and then a look is a long one. No look has more turns than `MOST_TURNS`.
SHORT_LOOK, LONG_LOOK, MOST_TURNS = 5, 100, 500
LONG_LOOK_EVERY_SECONDS = 0.01
# Those that begin together share the loop's turns and the look, which makes a third more calls a
# second. Fewer while calls are refused, so that the loop gets round to refusing.
AT_ONCE, AT_ONCE_OVERLOADED = 8, 4
# When to come again: what waits now has begun by then.
RETRY_SECONDS = 1.0
REPORT_SECONDS = 1.0
# Of the pace's newest value: about the last 20 count.
SMOOTHING = 0.05

log = structlog.stdlib.get_logger()


OVERLOADED = GatewayOverloaded(
    "the gateway has more to do than it can; nothing was begun", retry_seconds=RETRY_SECONDS
)
OVERLOADED_DETAILS = rich_status(OVERLOADED).SerializeToString()


class Admission:
    """Lets calls begin, one after the other. Made inside a running event loop."""

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        """How long waits may be long before calls are refused; and how long they must have been
        short before they may be long again."""
        self._loop = asyncio.get_running_loop()
        self._queue: FairQueue[str] = FairQueue()
        self._yield_core = CoreYield()
        self._busy = False
        self._came = False
        self._quiet = self._turns = 0
        # When a long look was over last.
        self._looked = 0.0
        # Seconds from one begin to the next while there is a queue, by and large.
        self._pace = self._began = 0.0
        self._at_once = 1
        # When a wait was long last, and since when waits have been, by and large.
        self._long_at = self._long_since = 0.0
        self._refused = 0
        self.refused = 0
        """How many calls were refused in all."""

    @property
    def waiting(self) -> int:
        """How many calls wait for their turn."""
        return len(self._queue)

    def is_full(self) -> bool:
        """Whether a call that comes now may be one too many. Asked once of each call."""
        self._came = True
        now = monotonic()
        waiting = len(self._queue)
        if waiting <= FEW_WAITING or waiting * self._pace <= LONG_SECONDS:
            if now - self._long_at > self.patience_seconds:
                self._long_since = now
            return False
        self._long_at = now
        return now - self._long_since > self.patience_seconds or waiting >= MOST_WAITING

    async def ensure_room(self, who: str, context: Context, *, receives_stream: bool) -> None:
        """Abort a call that came when it `is_full`, unless others make it so.

        It looks at nothing of the call but its request id.
        """
        if not self._is_too_much(who):
            return
        if not self._refused:
            self._loop.call_later(REPORT_SECONDS, self._report)
        self._refused += 1
        self.refused += 1
        if receives_stream:
            await read_rest(context)
        own_id = (HEADER, request_id(context.invocation_metadata()))
        await context.abort(
            OVERLOADED.code,
            OVERLOADED.message,
            trailing_metadata=(own_id, (DETAILS, OVERLOADED_DETAILS)),
        )

    async def turn(self, who: Callable[[], str]) -> None:
        """Return when the call may begin; asks `who` makes it only where others wait, too."""
        if self._busy:
            await self._queue.join(who())
        else:
            self._begin()

    def _is_too_much(self, who: str) -> bool:
        if len(self._queue) >= 2 * MOST_WAITING:
            return True
        own = self._queue.waiting(who)
        # As many as are served within the time that is long, in equal parts.
        room = min(max(LONG_SECONDS / self._pace if self._pace else inf, FEW_WAITING), MOST_WAITING)
        callers = self._queue.lines + (not own)
        return own >= max(room / callers, 1)

    def _begin(self, count: int = 1) -> None:
        """So many begin now; the next not before the loop has looked for others."""
        now = monotonic()
        if self._busy:
            pace = (now - self._began) / self._at_once
            self._pace += (pace - self._pace) * SMOOTHING
        self._began = now
        self._at_once = count
        self._busy = True
        self._quiet = self._turns = 0
        self._loop.call_soon(self._turned)

    def _turned(self) -> None:
        """The loop has turned once more."""
        # gRPC's own threads bring what is new, and on a single core they would not get to it.
        self._yield_core()
        self._turns += 1
        self._quiet = 0 if self._came else self._quiet + 1
        self._came = False
        now = monotonic()
        if self._turns < MOST_TURNS and not self._has_looked(now):
            self._loop.call_soon(self._turned)
            return
        overloaded = now - self._long_at <= self.patience_seconds
        wanted = AT_ONCE_OVERLOADED if overloaded else AT_ONCE
        begun = 0
        while begun < wanted and self._queue.serve():
            begun += 1
        if begun:
            self._begin(begun)
        else:
            self._busy = False

    def _has_looked(self, now: float) -> bool:
        if self._quiet >= LONG_LOOK:
            self._looked = now
            return True
        wants_long_look = len(self._queue) > 0 and now - self._looked > LONG_LOOK_EVERY_SECONDS
        return self._quiet >= SHORT_LOOK and not wants_long_look

    def _report(self) -> None:
        # One line for many calls: a line for each would be as dear as serving some of them.
        log.warning("overloaded", refused_calls=self._refused, waiting_calls=len(self._queue))
        self._refused = 0
