"""Calls take turns to begin; while there is a queue all the time, who comes is refused for little.

A loop with too much to do gets round to everything late, also to refusing: gRPC hands it one call
at a time, and the others wait where nobody counts them. So a new call is looked at before a waiting
one begins, and those that have begun go on. Then the queue is here, where its length is known.
"""

import asyncio
import os
from collections import deque
from time import monotonic

import structlog

# Calls that come while there is a queue all the time wait for nothing: nobody is let in until the
# first one has waited less than this.
STANDING_SECONDS = 0.02
# Those that wait hold little, but not nothing.
MOST_WAITING = 2000
# Turns of the event loop without a new call before a waiting one begins (gRPC takes five to hand one
# over), and the turns after which it begins all the same.
QUIET_TURNS, MOST_TURNS = int(os.environ.get("QT", "6")), int(os.environ.get("MT", "60"))
REPORT_SECONDS = 1.0

log = structlog.stdlib.get_logger()


class Admission:
    """Lets calls begin, one after the other. Made inside a running event loop."""

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        """How long there may be a queue all the time before calls are refused."""
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[asyncio.Future[None], float]] = deque()
        self._busy = False
        self._came = False
        self._quiet = self._turns = 0
        # When the wait was too long last, and since when it has been, with gaps.
        self._long_at = self._long_since = 0.0
        self._refused = 0

    def refuses(self) -> bool:
        """Whether a call that comes now is one too many. Asked once of each call, when it comes."""
        self._came = True
        if not self._is_full():
            return False
        if not self._refused:
            self._loop.call_later(REPORT_SECONDS, self._report)
        self._refused += 1
        return True

    async def turn(self) -> None:
        """Return when the call may begin."""
        if not self._busy:
            self._begin()
            return
        turn = self._loop.create_future()
        self._waiting.append((turn, monotonic()))
        await turn

    def _is_full(self) -> bool:
        now = monotonic()
        if not self._waiting or now - self._waiting[0][1] < STANDING_SECONDS:
            # Full for once, it is believed to be over when it has been so for as long.
            if now - self._long_at > self.patience_seconds:
                self._long_since = now
            return False
        self._long_at = now
        return now - self._long_since > self.patience_seconds or len(self._waiting) >= MOST_WAITING

    def _begin(self) -> None:
        """One begins now; the next one not before the loop has looked for others."""
        self._busy = True
        self._quiet = self._turns = 0
        self._loop.call_soon(self._turned)

    def _turned(self) -> None:
        """The loop has turned once more."""
        self._turns += 1
        self._quiet = 0 if self._came else self._quiet + 1
        self._came = False
        if self._quiet < QUIET_TURNS and self._turns < MOST_TURNS:
            self._loop.call_soon(self._turned)
            return
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._begin()
                return
        self._busy = False

    def _report(self) -> None:
        log.warning("overloaded", refused_calls=self._refused, waiting_calls=len(self._waiting))
        self._refused = 0
