"""How long a stream that broke off is begun anew: pure, so that it can be tested without waiting."""

import random
import time
from collections.abc import Callable

import grpc

from batchgate_client.errors import BatchgateError, OutcomeUnknown

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
# Before anything has come a wrong address is more likely than a restart.
FIRST_CONTACT_SECONDS = 5.0
# Without a reason of the contract, what broke off is the connection or something on the way; CANCELLED,
# which the caller was not, is a call that came in the moment of the gateway's stop.
_BROKEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED}


class Patience:
    """Counts what has failed since the stream last brought something.

    `seconds` is how long failures may follow each other before the last of them is the outcome.
    """

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._began = clock()
        self._contact = False
        self._failures = 0

    def progress(self) -> None:
        """Something came."""
        self._contact = True
        self._failures = 0

    def pause(self, error: BatchgateError) -> float:
        """Seconds to wait before the stream is begun anew.

        Raises:
            BatchgateError: `error`, where trying again does not help or has been tried for long.
        """
        if not _passes(error):
            raise error
        now = self._clock()
        if not self._failures and self._contact:
            self._began = now
        self._failures += 1
        limit = self._seconds if self._contact else min(self._seconds, FIRST_CONTACT_SECONDS)
        longest = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        # Many clients of one gateway that restarts do not come back in step.
        pause = max(random.uniform(longest / 2, longest), error.retry_after or 0)  # noqa: S311
        if now + pause - self._began > limit:
            raise error
        return pause


def _passes(error: BatchgateError) -> bool:
    if isinstance(error, OutcomeUnknown):
        return False
    return error.code == grpc.StatusCode.UNAVAILABLE or (not error.reason and error.code in _BROKEN)
