"""Whether and when a call is tried again: pure, so that it can be tested without waiting."""

import math
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
    """Counts what has failed since the call last brought something.

    `seconds` is how long failures may follow each other before the last of them is the outcome, and
    `max_retries` how many; `from_start`: the seconds count from now on, as those of a deadline do.
    """

    def __init__(
        self,
        seconds: float,
        *,
        max_retries: float = math.inf,
        from_start: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._max_retries = max_retries
        self._from_start = from_start
        self._clock = clock
        self._began = clock()
        self._contact = from_start
        self._failures = 0

    def progress(self) -> None:
        """Something came."""
        self._contact = True
        self._failures = 0

    def pause(self, error: BatchgateError) -> float:
        """Seconds to wait before the call is begun anew.

        Raises:
            BatchgateError: `error`, where trying again does not help or has been tried for long.
        """
        if not waiting_helps(error) or self._failures >= self._max_retries:
            raise error
        now = self._clock()
        if not self._failures and self._contact and not self._from_start:
            self._began = now
        self._failures += 1
        # A reason of the contract shows that the address is a gateway's.
        known = self._contact or error.reason
        limit = self._seconds if known else min(self._seconds, FIRST_CONTACT_SECONDS)
        longest = min(FIRST_PAUSE * 2 ** (self._failures - 1), LONGEST_PAUSE)
        least = error.retry_after or 0.0
        # Many clients that were refused together do not come back in step.
        least_jitter, most_jitter = (
            (0, max(longest, least / 2)) if least else (longest / 2, longest)
        )
        pause = least + random.uniform(least_jitter, most_jitter)  # noqa: S311
        left = self._began + limit - now
        if least > left or (not least and pause > left):
            raise error
        return min(pause, left)


def waiting_helps(error: BatchgateError) -> bool:
    """Whether the same call may succeed later: never by RESOURCE_EXHAUSTED alone."""
    if isinstance(error, OutcomeUnknown):
        return False
    if error.retry_after is not None or error.code == grpc.StatusCode.UNAVAILABLE:
        return True
    return not error.reason and error.code in _BROKEN
