"""Requests sent again after failures that pass.

Code of our own: tenacity and stamina take 16 to 18 µs of every call that goes well, and the wait,
the deadline and the question of what may be repeated would have to be written here all the same.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from math import inf
from typing import TypeVar

from batchgate_server.call import current_call
from batchgate_server.errors import (
    GatewayError,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)

Answer = TypeVar("Answer")
# After these the provider certainly did nothing.
CERTAIN = (ProviderRateLimited, ProviderUnreachable)
PASSING = (*CERTAIN, ProviderTimeout, ProviderUnavailable)


class Pace(Enum):
    """How long a task is ready to try again."""

    CALLER = "as long as the caller of the RPC waits"
    ONCE = "not at all, since it has a pace of its own"
    REGARDLESS = "also when no caller waits"


_pace: ContextVar[Pace] = ContextVar("pace", default=Pace.CALLER)


def set_pace(pace: Pace) -> None:
    """What holds from now on for the task at hand, and those that it starts."""
    _pace.set(pace)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and when a request is sent again."""

    most: int
    """Attempts beyond the first."""
    first_seconds: float
    """The longest wait before the second attempt; it doubles with each."""
    cap_seconds: float
    """The longest of all waits."""

    def wait(self, error: GatewayError, *, attempt: int) -> float | None:
        """Seconds to wait after attempt number `attempt` (from 1); None: the provider asks for more.

        Full jitter, so that those who failed together do not come back together; what the provider
        asks for is waited for besides.
        """
        longest = min(self.first_seconds * 2.0 ** min(attempt - 1, 32), self.cap_seconds)
        seconds = longest * random.random()  # noqa: S311 - no secret
        asked = error.asked_seconds or 0.0
        return None if asked > self.cap_seconds else asked + seconds

    async def pause(self, error: GatewayError, *, attempt: int, end: float = inf) -> bool:
        """Wait before the next attempt; False, and mostly at once, if there is to be none.

        There is none that would begin after `end`, by the event loop's clock, or when the caller
        waits no more.
        """
        call, clock = current_call(), asyncio.get_running_loop().time
        seconds, pace = self.wait(error, attempt=attempt), _pace.get()
        if attempt > self.most or seconds is None or pace is Pace.ONCE:
            return False
        if clock() + seconds >= min(end, inf if pace is Pace.REGARDLESS else call.deadline):
            return False
        call.tell("retry", reason=error.reason, attempt=attempt, wait_seconds=seconds)
        await asyncio.sleep(seconds)
        if pace is not Pace.REGARDLESS and clock() >= call.deadline:
            return False
        call.retries += 1
        return True


def is_worth_repeating(error: GatewayError, *, creates: bool) -> bool:
    """Whether to send a request again; one that `creates` only if certainly nothing was done."""
    if creates:
        return isinstance(error, CERTAIN) and error.advice is not False
    return isinstance(error, PASSING) if error.advice is None else error.advice


async def repeated(
    send: Callable[[], Awaitable[Answer]],
    *,
    retries: Retries,
    repeatable: Callable[[GatewayError], bool],
    end: float = inf,
) -> Answer:
    """The answer of the first attempt that goes well, or the error of the last.

    None begins after `end`, by the event loop's clock. An error says as `perhaps_done` whether an attempt before may have been carried out.
    """
    perhaps_done = False
    for attempt in itertools.count(1):
        try:
            return await send()
        except GatewayError as exc:
            exc.perhaps_done = perhaps_done
            if not repeatable(exc) or not await retries.pause(exc, attempt=attempt, end=end):
                raise
            perhaps_done = perhaps_done or not isinstance(exc, CERTAIN)
    raise AssertionError  # pragma: no cover - the attempts are endless
