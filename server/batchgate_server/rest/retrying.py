"""Requests sent again after failures that pass.

Code of our own: tenacity and stamina take 16 to 18 µs of every call that goes well, and the wait,
the deadline and the question of what may be repeated would have to be written here all the same.
"""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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

    async def pause(self, error: GatewayError, *, attempt: int, until: float) -> bool:
        """Wait before the next attempt; False at once if there is to be none.

        `until` is when nobody waits for the answer any more, by the event loop's clock.
        """
        call = current_call()
        seconds = self.wait(error, attempt=attempt)
        if attempt > self.most or call.once or seconds is None:
            return False
        if asyncio.get_running_loop().time() + seconds >= until:
            return False
        call.retries += 1
        await asyncio.sleep(seconds)
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
    until: float,
) -> Answer:
    """The answer of the first attempt that goes well, or the error of the last.

    An error says as `perhaps_done` whether an attempt before may have been carried out.
    """
    perhaps_done = False
    for attempt in itertools.count(1):
        try:
            return await send()
        except GatewayError as exc:
            exc.perhaps_done = perhaps_done
            if not repeatable(exc) or not await retries.pause(exc, attempt=attempt, until=until):
                raise
            perhaps_done = perhaps_done or not isinstance(exc, CERTAIN)
    raise AssertionError  # pragma: no cover - the attempts are endless
