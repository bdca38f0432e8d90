"""Reads what an error carries, with the library that other clients use."""

from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status


@dataclass(frozen=True)
class Failure:
    """A failed call as a caller sees it."""

    code: str
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    retry_seconds: float | None = None
    fields: dict[str, str] = field(default_factory=dict)
    """BadRequest's violations."""
    quotas: dict[str, str] = field(default_factory=dict)
    """QuotaFailure's violations."""
    trailing: dict[str, Any] = field(default_factory=dict)


def failure_of(error: grpc.aio.AioRpcError) -> Failure:
    """All of a failed call's details."""
    trailing = dict(error.trailing_metadata() or ())
    status = Status.FromString(trailing["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    info, retry, bad, quota = ErrorInfo(), RetryInfo(), BadRequest(), QuotaFailure()
    for detail in status.details:
        assert any(detail.Unpack(kind) for kind in (info, retry, bad, quota)), detail.type_url
    assert info.domain == "batchgate"
    return Failure(
        code=error.code().name,
        reason=info.reason,
        message=error.details() or "",
        metadata=dict(info.metadata),
        retry_seconds=(
            retry.retry_delay.ToMilliseconds() / 1000 if retry.HasField("retry_delay") else None
        ),
        fields={v.field: v.description for v in bad.field_violations},
        quotas={v.subject: v.description for v in quota.violations},
        trailing=trailing,
    )
