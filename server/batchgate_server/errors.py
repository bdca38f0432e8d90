"""What can go wrong, as exceptions: each class knows its status code and its reason.

    GatewayError
    ├── ProviderRequired          INVALID_ARGUMENT     no provider named, several configured
    ├── ProviderUnknown           NOT_FOUND            no profile of that name
    ├── InvalidField              INVALID_ARGUMENT     a field is not as the contract says
    ├── UploadProtocol            INVALID_ARGUMENT     an upload's messages in a wrong order
    ├── ChecksumMismatch          DATA_LOSS            size or sha256 differs
    ├── InvalidJsonl              INVALID_ARGUMENT     lines are not what the provider takes
    ├── FileTooLarge              INVALID_ARGUMENT     over the provider's or the gateway's limit
    ├── BatchNotFinished          FAILED_PRECONDITION  results of a batch that is not terminal
    ├── ResultsMissing            FAILED_PRECONDITION  counts say more than the files hold
    ├── IdempotencyKeyReused      ALREADY_EXISTS       the key was used for another request
    ├── CallerUnauthenticated     UNAUTHENTICATED      no credential of a known caller
    ├── CallerNotPermitted        PERMISSION_DENIED    not this, not there, not with that model
    ├── CallerLimit               RESOURCE_EXHAUSTED   the caller is over a limit of its own
    ├── GatewayOverloaded         RESOURCE_EXHAUSTED   all callers together are too much
    ├── CallTimeout               DEADLINE_EXCEEDED    no deadline of its own, and too long
    ├── CallerIdle                DEADLINE_EXCEEDED    the caller neither sends nor reads
    ├── ServerDraining            UNAVAILABLE          shutting down
    ├── AuditUnavailable          UNAVAILABLE          no change without a record of it
    ├── InternalError             INTERNAL             a defect of the gateway
    └── ProviderError             what the provider, or the way to it, did
        ├── ProviderRejected            INVALID_ARGUMENT     400, 422
        ├── ProviderCredentialRejected  FAILED_PRECONDITION  401
        ├── ProviderForbidden           PERMISSION_DENIED    403
        ├── ProviderNotFound            NOT_FOUND            404
        ├── ProviderConflict            FAILED_PRECONDITION  409
        ├── ProviderRateLimited         RESOURCE_EXHAUSTED   429
        ├── ProviderQuotaExceeded       RESOURCE_EXHAUSTED   quota, waiting does not help
        ├── ProviderTokenLimit          RESOURCE_EXHAUSTED   too many enqueued tokens
        ├── ProviderUnavailable         UNAVAILABLE          5xx, 408, broken off
        ├── ProviderUnreachable         UNAVAILABLE          refused, DNS, TLS, proxy, no token
        ├── ProviderTimeout             UNAVAILABLE          too slow
        ├── ProviderBadResponse         INTERNAL             cannot be read
        └── OutcomeUnknown              UNKNOWN              a creation may have happened

Services and what they call just raise; `interceptors.error_status` puts them on the wire. The
reasons are those of `batchgate.v1.ErrorReason`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from grpc import StatusCode

# Waiting helps, but nobody said how long: a guess that is polite to a provider in trouble.
DEFAULT_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Violation:
    """A field at fault: its path in the request, and what it must be."""

    field: str
    description: str


class GatewayError(Exception):
    """Base of all errors that a caller gets to see; `message` is free of secrets."""

    code: ClassVar[StatusCode]
    reason: ClassVar[str]
    # Whether RetryInfo goes along, with `retry_seconds` or a default.
    retryable: ClassVar[bool] = False

    advice: bool | None = None
    """Whether the provider says that the request should be sent again, if it says so."""
    perhaps_done: bool = False
    """Whether an earlier attempt at the same may have been carried out."""

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.asked_seconds = retry_seconds
        """How long to wait, where somebody knows; `retry_seconds` may be a guess."""
        self.retry_seconds = (
            (DEFAULT_RETRY_SECONDS if retry_seconds is None else retry_seconds)
            if self.retryable
            else None
        )

    def amend(self, addition: str) -> None:
        """Add to the message what the caller has to know besides."""
        self.message = f"{self.message}; {addition}"
        self.args = (self.message,)


class ProviderRequired(GatewayError):
    """No provider was named, and there are several and no default."""

    code, reason = StatusCode.INVALID_ARGUMENT, "PROVIDER_REQUIRED"


class ProviderUnknown(GatewayError):
    """No profile has that name."""

    code, reason = StatusCode.NOT_FOUND, "PROVIDER_UNKNOWN"


class InvalidField(GatewayError):
    """A field is not as the contract says."""

    code, reason = StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}", violations=[Violation(field, description)])


class UploadProtocol(GatewayError):
    """The messages of an upload came in a wrong order."""

    code, reason = StatusCode.INVALID_ARGUMENT, "UPLOAD_PROTOCOL"


class ChecksumMismatch(GatewayError):
    """What arrived is not what was announced."""

    code, reason = StatusCode.DATA_LOSS, "CHECKSUM_MISMATCH"


class InvalidJsonl(GatewayError):
    """Lines are not what the provider takes."""

    code, reason = StatusCode.INVALID_ARGUMENT, "INVALID_JSONL"


class FileTooLarge(GatewayError):
    """The file is larger than the provider or the gateway allows."""

    code, reason = StatusCode.INVALID_ARGUMENT, "FILE_TOO_LARGE"


class BatchNotFinished(GatewayError):
    """The batch is not terminal, and what was asked needs its results."""

    code, reason = StatusCode.FAILED_PRECONDITION, "BATCH_NOT_FINISHED"


class ResultsMissing(GatewayError):
    """The batch's counts say that more is done than its output and error files hold."""

    code, reason = StatusCode.FAILED_PRECONDITION, "RESULTS_MISSING"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(message, metadata=metadata)
        # Waiting helps for a while after the batch's end, and never later.
        self.retry_seconds = self.asked_seconds = retry_seconds


class IdempotencyKeyReused(GatewayError):
    """The key that makes a creation safe to repeat was used before, for another request."""

    code, reason = StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_KEY_REUSED"


class CallerUnauthenticated(GatewayError):
    """The call has no credential of a caller that is known here."""

    code, reason = StatusCode.UNAUTHENTICATED, "CALLER_UNAUTHENTICATED"


class CallerNotPermitted(GatewayError):
    """The caller may not do that, or not with that provider or model."""

    code, reason = StatusCode.PERMISSION_DENIED, "CALLER_NOT_PERMITTED"


class CallerLimit(GatewayError):
    """The caller is over a limit of its own."""

    code, reason, retryable = StatusCode.RESOURCE_EXHAUSTED, "CALLER_LIMIT", True
    limit: str = ""
    """The setting that limits it."""


class GatewayOverloaded(GatewayError):
    """All callers together ask for more than the gateway takes on at once."""

    code, reason, retryable = StatusCode.RESOURCE_EXHAUSTED, "GATEWAY_OVERLOADED", True
    limit: str = ""
    """The setting that limits all callers together, if it is one."""


class CallTimeout(GatewayError):
    """A call without a deadline took longer than the gateway's default."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "CALL_TIMEOUT"


class CallerIdle(GatewayError):
    """The caller has neither sent nor read anything of its stream for too long."""

    code, reason = StatusCode.DEADLINE_EXCEEDED, "CALLER_IDLE"


class ServerDraining(GatewayError):
    """The gateway is shutting down."""

    code, reason, retryable = StatusCode.UNAVAILABLE, "SERVER_DRAINING", True

    def __init__(
        self, message: str = "the gateway is shutting down; another replica will answer"
    ) -> None:
        super().__init__(message)


class AuditUnavailable(GatewayError):
    """The audit log cannot be written, and nothing is changed without a record of it."""

    code, reason, retryable = StatusCode.UNAVAILABLE, "AUDIT_UNAVAILABLE", True

    def __init__(self) -> None:
        super().__init__(
            "the gateway cannot write its audit log, and changes nothing without a record of it; "
            "nothing was begun"
        )


class InternalError(GatewayError):
    """A defect of the gateway; the message says nothing of it, the log does."""

    code, reason = StatusCode.INTERNAL, "INTERNAL"


class ProviderError(GatewayError):
    """Base of what the provider, or the way to it, did."""


class ProviderRejected(ProviderError):
    """The provider refuses the request: 400, 422."""

    code, reason = StatusCode.INVALID_ARGUMENT, "PROVIDER_REJECTED"


class ProviderCredentialRejected(ProviderError):
    """The provider refuses the gateway's own credential, or the caller's own key: 401."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PROVIDER_CREDENTIAL_REJECTED"


class ProviderForbidden(ProviderError):
    """The provider forbids it to this credential: 403."""

    code, reason = StatusCode.PERMISSION_DENIED, "PROVIDER_FORBIDDEN"


class ProviderNotFound(ProviderError):
    """The provider has no such thing: 404."""

    code, reason = StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND"


class ProviderConflict(ProviderError):
    """The state of the file or batch forbids it: 409."""

    code, reason = StatusCode.FAILED_PRECONDITION, "PROVIDER_CONFLICT"


class ProviderRateLimited(ProviderError):
    """Too many calls: 429."""

    code, reason, retryable = StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_RATE_LIMITED", True


class ProviderQuotaExceeded(ProviderError):
    """Money or room is used up: 429 `insufficient_quota`, Azure's 400 `quotaExceeded`."""

    code, reason = StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_QUOTA_EXCEEDED"


class ProviderTokenLimit(ProviderError):
    """Too many tokens are enqueued already: Azure's 400 with `token_limit_exceeded`."""

    code, reason, retryable = StatusCode.RESOURCE_EXHAUSTED, "PROVIDER_TOKEN_LIMIT", True


class ProviderUnavailable(ProviderError):
    """The provider failed: 5xx, 408, or it broke off."""

    code, reason, retryable = StatusCode.UNAVAILABLE, "PROVIDER_UNAVAILABLE", True


class ProviderUnreachable(ProviderError):
    """No connection: refused, DNS, TLS, proxy; or no token. The provider certainly did nothing."""

    code, reason, retryable = StatusCode.UNAVAILABLE, "PROVIDER_UNREACHABLE", True


class ProviderTimeout(ProviderError):
    """No answer in time, and the caller's deadline was not over."""

    code, reason, retryable = StatusCode.UNAVAILABLE, "PROVIDER_TIMEOUT", True


class ProviderBadResponse(ProviderError):
    """The answer cannot be read."""

    code, reason = StatusCode.INTERNAL, "PROVIDER_BAD_RESPONSE"


class OutcomeUnknown(ProviderError):
    """A creation may have happened; never UNAVAILABLE, since clients repeat that by themselves."""

    code, reason = StatusCode.UNKNOWN, "OUTCOME_UNKNOWN"


def reasons() -> frozenset[str]:
    """All reasons that there are."""
    found: set[str] = set()
    kinds: list[type[GatewayError]] = [GatewayError]
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        if "reason" in vars(kind):
            found.add(kind.reason)
    return frozenset(found)
