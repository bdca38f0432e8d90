"""Errors on the wire: the status code, and `grpc-status-details-bin` with what programs read."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from urllib.parse import quote

import structlog
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc.aio import AbortError

from batchgate_server.call import Call
from batchgate_server.errors import (
    GatewayError,
    InternalError,
    ProviderQuotaExceeded,
    Violation,
)
from batchgate_server.interceptors.chain import Context, Proceed, trailing_metadata
from batchgate_server.outside import one_line
from batchgate_server.stream_end import read_rest

DOMAIN = "batchgate"
# Errors travel in headers, which with gRPC's defaults may have 8 KiB in all; beyond that the caller
# would lose the status. The message stands there twice, once percent-encoded, and base64 makes four
# bytes of three.
MAX_HEADER_BYTES = 7300
MAX_MESSAGE_BYTES = 1000
MAX_WORD_BYTES = 200
DETAILS = "grpc-status-details-bin"
log = structlog.stdlib.get_logger()


async def error_status(call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
    """Ends the RPC with the status of what is raised; a defect says nothing of itself."""
    try:
        return await proceed()
    except GatewayError as exc:
        error: GatewayError = exc
    except AbortError:
        raise
    except Exception:  # the outermost border
        log.exception("internal error", method=call.method, request_id=call.request_id)
        error = InternalError(f"internal error; x-request-id {call.request_id}")
    if call.receives_stream:
        await read_rest(context)
    return await context.abort(
        error.code,
        one_line(error.message, size=MAX_MESSAGE_BYTES),
        trailing_metadata=(
            *trailing_metadata(call),
            (DETAILS, rich_status(error).SerializeToString()),
        ),
    )


def rich_status(error: GatewayError) -> Status:
    """The `google.rpc.Status` of an error, with its details: whatever it quotes, it arrives."""
    message = one_line(error.message, size=MAX_MESSAGE_BYTES)
    metadata = {key: one_line(value, size=MAX_WORD_BYTES) for key, value in error.metadata.items()}
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if error.retry_seconds is not None:
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_seconds * 1000))
        details.append(RetryInfo(retry_delay=delay))
    room = (MAX_HEADER_BYTES - len(quote(message))) * 3 // 4 - len(message.encode())
    room -= sum(detail.ByteSize() for detail in details)
    if violations := list(_fitting(error.violations, room=room)):
        details.append(
            QuotaFailure(
                violations=[
                    QuotaFailure.Violation(subject=v.field, description=v.description)
                    for v in violations
                ]
            )
            if isinstance(error, ProviderQuotaExceeded)
            else BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field=v.field, description=v.description)
                    for v in violations
                ]
            )
        )
    status = Status(code=number(error.code), message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _fitting(violations: Sequence[Violation], *, room: int) -> Sequence[Violation]:
    """The violations, as far as there is room for so many bytes.

    Where the full text of all does not fit, each keeps its first word, which is a code.
    """
    violations = [
        Violation(
            one_line(v.field, size=MAX_WORD_BYTES),
            one_line(v.description, size=MAX_MESSAGE_BYTES),
        )
        for v in violations
    ]
    if sum(map(_size, violations)) > room:
        violations = [Violation(v.field, v.description.partition(":")[0]) for v in violations]
    sizes = accumulate(map(_size, violations))
    return [v for v, total in zip(violations, sizes, strict=True) if total <= room]


def _size(violation: Violation) -> int:
    # Six bytes are tags and lengths.
    return len(violation.field.encode()) + len(violation.description.encode()) + 6


def number(code: StatusCode) -> int:
    """The number of a status code."""
    value: int = code.value[0]
    return value
