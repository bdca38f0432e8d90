"""How a provider was when last seen: what its answers tell by the way, without asking."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from batchgate_server.errors import (
    GatewayError,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderCredentialRejected,
    ProviderError,
    ProviderForbidden,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)

UNHEALTHY = (
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderCredentialRejected,
    ProviderForbidden,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)
OF_THE_KEY = (ProviderCredentialRejected, ProviderForbidden)


@dataclass(slots=True)
class Health:
    """The last thing seen; `healthy` is None until anything was."""

    healthy: bool | None = None
    checked_at: float = 0.0
    """Unix seconds."""
    detail: str = ""
    keys_of_callers: bool = False
    """Whether each call has a key of its own: that one is refused tells nothing of the others."""
    changed: Callable[[], None] | None = None
    """Told when `healthy` becomes another."""

    def saw(self, error: GatewayError | None) -> None:
        """Note how a call ended; errors that are the caller's say nothing against the provider."""
        if error is not None and not isinstance(error, ProviderError):
            return
        if self.keys_of_callers and isinstance(error, OF_THE_KEY):
            return
        unhealthy = isinstance(error, UNHEALTHY)
        known, self.healthy = self.healthy, not unhealthy
        self.checked_at = time.time()
        self.detail = f"{error.reason}: {error.message}" if error and unhealthy else ""
        if self.changed and known is not self.healthy:
            self.changed()
