"""Tells an observer of each RPC: when it is let in, and how it ended."""

from typing import Any

from batchgate_server.call import Call
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.interceptors.outcome import OK, outcome_of
from batchgate_server.observer import Observer


class Measuring:
    """A concern that is in the chain only where somebody observes."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    async def __call__(self, call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
        """Tells of the beginning and of the end."""
        (code, reason), error = OK, None
        self._observer.call_began(call, context.invocation_metadata() or ())
        try:
            return await proceed()
        except BaseException as exc:
            (code, reason), error = outcome_of(exc, context), exc
            raise
        finally:
            self._observer.call_ended(call, code, reason, error=error)
