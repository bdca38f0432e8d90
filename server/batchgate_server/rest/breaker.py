"""A circuit breaker: a provider that keeps failing is left alone, but for one probe now and then.

Code of our own, since no maintained library for asyncio opens by the time of a failure, lets one
probe out at a time, and leaves it to its user what a failure is.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from batchgate_server.errors import (
    GatewayError,
    OutcomeUnknown,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)
from batchgate_server.rest.health import for_all

# What a provider in trouble does. It answers a 4xx, and a 429, because it works.
FAILURES = (OutcomeUnknown, ProviderTimeout, ProviderUnavailable, ProviderUnreachable)
log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """When a breaker opens and probes; times are in seconds."""

    failures: int
    """How many failures in a row open it, at least; 0: it never opens."""
    after_seconds: float
    """How long nothing but failures must have come."""
    probe_seconds: float
    """The time between two probes."""


class Breaker:
    """One profile's. Every request runs in `attempt()`, and `saw()` hears how each ended."""

    def __init__(
        self, provider: str, limits: Limits, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = provider
        self._limits = limits
        self._clock = clock
        self._failures = 0
        self._failing_since = self._probe_at = 0.0
        self._last: GatewayError | None = None
        self._open = False
        self._probing = False

    @contextmanager
    def attempt(self, *, long: bool = False) -> Iterator[None]:
        """Around a request. A `long` one may be a probe, but the next does not wait for its end.

        Raises:
            ProviderUnavailable: on entry, while the provider is left alone.
        """
        if not self._open:
            yield
            return
        self._admit()
        self._probing = not long
        try:
            yield
        finally:
            if not long:
                self._probing = False

    def saw(self, error: GatewayError | None) -> None:
        """Note how a request ended, None being well."""
        if isinstance(error, FAILURES):
            self._failed(error)
        elif self._failures and (error is None or isinstance(error, ProviderError)):
            if self._open:
                log.info("provider answers again", provider=self._provider)
            self._failures, self._open, self._last = 0, False, None

    def told(self) -> str:
        """What there is to tell of an open breaker; empty while it is closed."""
        if not self._open:
            return ""
        seconds = self._clock() - self._failing_since
        return (
            f"has failed {self._failures} times in {seconds:.0f} s, and is left alone but for a "
            "probe now and then"
        )

    def _admit(self) -> None:
        now = self._clock()
        if self._probing or now < self._probe_at:
            last = for_all(self._last) if self._last else ""
            error = ProviderUnavailable(
                f"{self._provider} {self.told()}; the last failure: {last}",
                metadata={"provider": self._provider},
                retry_seconds=max(self._probe_at - now, 0.0) or self._limits.probe_seconds,
            )
            error.advice = False
            raise error
        self._probe_at = now + self._limits.probe_seconds

    def _failed(self, error: GatewayError) -> None:
        now = self._clock()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        self._last = error
        self._probe_at = now + self._limits.probe_seconds
        lasting = now - self._failing_since >= self._limits.after_seconds
        if not self._open and lasting and 0 < self._limits.failures <= self._failures:
            self._open = True
            log.warning(
                "provider left alone",
                provider=self._provider,
                failures=self._failures,
                failing_seconds=round(now - self._failing_since, 3),
                reason=error.reason,
                message=error.message,
            )
