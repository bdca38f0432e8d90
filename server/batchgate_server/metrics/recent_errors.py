"""The last RPCs that failed, for the status page."""

import time
from collections import deque
from dataclasses import dataclass

from grpc import StatusCode

from batchgate_server.call import Call
from batchgate_server.errors import (
    ProviderConflict,
    ProviderError,
    ProviderForbidden,
    ProviderNotFound,
    ProviderRejected,
)

MOST_ERRORS = 200
LONGEST_MESSAGE = 300
OF_THE_CALLER = (ProviderRejected, ProviderForbidden, ProviderNotFound, ProviderConflict)
# A caller that has gone is no error.
FINE = frozenset({StatusCode.OK, StatusCode.CANCELLED})


@dataclass(frozen=True, slots=True)
class RecentError:
    """An RPC that failed."""

    at: float
    """Unix seconds."""
    method: str
    caller: str
    provider: str
    code: str
    reason: str
    message: str
    """What the provider did; empty where it would tell what a caller sent."""
    request_id: str


class RecentErrors:
    """Keeps the last ones."""

    def __init__(self) -> None:
        self._errors: deque[RecentError] = deque(maxlen=MOST_ERRORS)

    def note(self, call: Call, code: StatusCode, reason: str, error: BaseException | None) -> None:
        """Keep a call that has ended, if it has failed."""
        if code in FINE:
            return
        self._errors.append(
            RecentError(
                at=time.time(),
                method=call.method,
                caller=call.caller.name,
                provider=call.provider,
                code=code.name,
                reason=reason,
                message=_told(error)[:LONGEST_MESSAGE],
                request_id=call.request_id,
            )
        )

    def all(self) -> list[RecentError]:
        """All that are kept, the oldest first."""
        return list(self._errors)


def _told(error: BaseException | None) -> str:
    # What a caller did wrong is its own affair, and the message may quote what it sent.
    if isinstance(error, ProviderError) and not isinstance(error, OF_THE_CALLER):
        return error.message
    return ""
