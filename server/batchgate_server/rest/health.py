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
# Which the provider words itself, and may quote from what the caller has sent.
IN_ITS_WORDS = (OutcomeUnknown, ProviderForbidden, ProviderUnavailable)


def for_all(error: GatewayError) -> str:
    """What a failure of one caller's call may tell the others."""
    status = error.metadata.get("http_status", "")
    if status and isinstance(error, IN_ITS_WORDS):
        return f"{error.metadata.get('provider', 'it')} answered with the status {status}"
    return error.message


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

    def saw(self, error: GatewayError | None, *, asked: bool = False) -> None:
        """Note how a call ended; errors that are the caller's say nothing against the provider.

        A 403 is one: what is forbidden is this file, that model, such a call. But where the gateway
        has `asked` by itself, nobody else's business is in the answer, and a 403 is meant for it.
        """
        if error is not None and not isinstance(error, ProviderError):
            return
        if self.keys_of_callers and isinstance(error, OF_THE_KEY):
            return
        if isinstance(error, ProviderForbidden) and not asked:
            return
        unhealthy = isinstance(error, UNHEALTHY)
        known, self.healthy = self.healthy, not unhealthy
        self.checked_at = time.time()
        self.detail = ""
        if error and unhealthy:
            self.detail = f"{error.reason}: {error.message if asked else for_all(error)}"
        if self.changed and known is not self.healthy:
            self.changed()
