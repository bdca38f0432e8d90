"""One line a call: what was asked of whom, how it ended, how long it took. Never content."""

from time import perf_counter
from typing import Any

import structlog
from grpc import StatusCode

from batchgate_server.call import Call
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.interceptors.outcome import OK, outcome_of

log = structlog.stdlib.get_logger()


async def access_log(call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
    """Writes the line when the call is over."""
    code, reason = OK
    try:
        return await proceed()
    except BaseException as exc:
        code, reason = outcome_of(exc, context)
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
