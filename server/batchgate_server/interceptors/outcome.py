"""How a call ended, as the logs tell it."""

import asyncio

from grpc import StatusCode

from batchgate_server.errors import GatewayError
from batchgate_server.interceptors.chain import Context

OK = (StatusCode.OK, "")


def outcome_of(error: BaseException, context: Context) -> tuple[StatusCode, str]:
    """The status code and the reason of a call that ends with this error."""
    if isinstance(error, GatewayError):
        return error.code, error.reason
    if isinstance(error, asyncio.CancelledError):
        remaining = context.time_remaining()
        over = remaining is not None and remaining <= 0  # type: ignore[redundant-expr] # None without a deadline
        return (StatusCode.DEADLINE_EXCEEDED if over else StatusCode.CANCELLED), ""
    return StatusCode.INTERNAL, "INTERNAL"
