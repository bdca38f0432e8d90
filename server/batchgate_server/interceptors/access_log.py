"""One line a call: what was asked of whom, how it ended, how long it took. Never content."""

import asyncio
from time import perf_counter
from typing import Any

import structlog
from grpc import StatusCode

from batchgate_server.call import Call
from batchgate_server.errors import GatewayError
from batchgate_server.interceptors.chain import Context, Proceed

log = structlog.stdlib.get_logger()


async def access_log(call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
    """Writes the line when the call is over."""
    code, reason = StatusCode.OK, ""
    try:
        return await proceed()
    except GatewayError as exc:
        code, reason = exc.code, exc.reason
        raise
    except asyncio.CancelledError:
        remaining = context.time_remaining()
        over = remaining is not None and remaining <= 0  # type: ignore[redundant-expr] # None without a deadline
        code = StatusCode.DEADLINE_EXCEEDED if over else StatusCode.CANCELLED
        raise
    except BaseException:
        code, reason = StatusCode.INTERNAL, "INTERNAL"
        raise
    finally:
        write = log.error if code in {StatusCode.INTERNAL, StatusCode.UNKNOWN} else log.info
        write(
            "rpc",
            method=call.method,
            caller=call.caller.name,
            provider=call.provider,
            code=code.name,
            reason=reason,
            duration_ms=round((perf_counter() - call.started) * 1000, 3),
            received_bytes=call.received_bytes,
            sent_bytes=call.sent_bytes,
            retries=call.retries,
            request_id=call.request_id,
            provider_request_id=call.provider_request_id,
        )
