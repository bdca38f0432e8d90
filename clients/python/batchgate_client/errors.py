"""What calls raise: one tree, by what a caller can do about it.

```
BatchgateError
├── InvalidRequest              mend the request
│   ├── ProviderRequired  ProviderRejected  InvalidField  UploadProtocol  InvalidJsonl  FileTooLarge
│   └── IdempotencyKeyReused    the request_id stands for another request: choose another
├── NotFound
│   ├── ProviderUnknown  ProviderNotFound
├── Refused                     mend credentials or rights
│   ├── CallerUnauthenticated  CallerNotPermitted  ProviderForbidden  ProviderCredentialRejected
├── WrongState                  wait for the batch, or leave it
│   ├── ProviderConflict  BatchNotFinished  ResultsMissing
├── TooMuch                     come back later, after `retry_after` seconds where it is set
│   ├── CallerLimit  GatewayOverloaded  ProviderRateLimited  ProviderTokenLimit
│   └── ProviderQuotaExceeded   waiting alone does not help
├── Unavailable                 reads have been tried again already
│   ├── ProviderUnavailable  ProviderUnreachable  ProviderTimeout  ServerDraining  AuditUnavailable
│   └── GatewayUnreachable      no gateway at the address, or TLS does not fit
├── TimedOut                    the call's deadline was over
│   ├── CallTimeout  CallerIdle
├── Cancelled                   by this side
├── OutcomeUnknown              it may have been created; look, or repeat with the same request_id
├── ChecksumMismatch
├── ProviderBadResponse
└── GatewayDefect
```

Each leaf is a reason of the contract (`error_reason.proto`), where its meaning and an example stand.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from batchgate_client.proxies import Proxy

DETAILS = "grpc-status-details-bin"


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a request, or one quota that is used up."""

    field: str
    """The field, as `metadata.filename`; of a quota its subject."""
    description: str


@dataclass(frozen=True)
class Details:
    """What an error says besides its status."""

    message: str = ""
    reason: str = ""
    """The contract's word, as `PROVIDER_NOT_FOUND`; empty where no gateway has answered."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """`provider`, `http_status`, `provider_code` and others, where known."""
    retry_after: float | None = None
    """Seconds after which to try again, where waiting helps."""
    violations: Sequence[Violation] = ()
    quotas: Sequence[Violation] = ()
    request_id: str = ""
    """The call's `x-request-id`, by which the gateway's log has it."""
    provider_request_id: str = ""


class BatchgateError(Exception):
    """A call failed. `code` is the gRPC status; `details` holds all else."""

    reason_of: ClassVar[str] = ""

    def __init__(self, code: grpc.StatusCode, details: Details) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        """One line for people: the code, the reason and the message."""
        return f"{' '.join(filter(None, (self.code.name, self.reason)))}: {self.message}"

    @property
    def message(self) -> str:
        """What went wrong, for people."""
        return self.details.message

    @property
    def reason(self) -> str:
        """The contract's word for it, or empty."""
        return self.details.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """What is known of the provider's answer."""
        return self.details.metadata

    @property
    def retry_after(self) -> float | None:
        """Seconds after which to try again, where waiting helps."""
        return self.details.retry_after

    @property
    def violations(self) -> Sequence[Violation]:
        """The fields, or lines of a file, that are wrong."""
        return self.details.violations

    @property
    def request_id(self) -> str:
        """The call's `x-request-id`."""
        return self.details.request_id


class InvalidRequest(BatchgateError):
    """The request is not as it has to be; repeating it gives the same."""


class ProviderRequired(InvalidRequest):
    """Several providers are configured, and the request names none."""


class ProviderRejected(InvalidRequest):
    """The provider refuses the request."""


class InvalidField(InvalidRequest):
    """A field is not as its comment says."""


class UploadProtocol(InvalidRequest):
    """The messages of an upload come in a wrong order."""


class InvalidJsonl(InvalidRequest):
    """Lines of a batch file are not what the provider takes; `violations` has each."""


class FileTooLarge(InvalidRequest):
    """The file is over a limit."""


class IdempotencyKeyReused(InvalidRequest):
    """The `request_id` was used for another request before; nothing was sent."""


class NotFound(BatchgateError):
    """There is no such thing."""


class ProviderUnknown(NotFound):
    """The gateway has no profile of that name."""


class ProviderNotFound(NotFound):
    """The provider has no such file or batch."""


class Refused(BatchgateError):
    """Credentials or rights do not suffice."""


class CallerUnauthenticated(Refused):
    """No token, certificate or key, or a wrong one."""


class CallerNotPermitted(Refused):
    """The caller may not do that, or not there, or not with that model."""


class ProviderForbidden(Refused):
    """The provider forbids it to the gateway's credential."""


class ProviderCredentialRejected(Refused):
    """The provider refuses the gateway's own credential: its operators have to mend that."""


class WrongState(BatchgateError):
    """The state of the batch or file forbids it."""


class ProviderConflict(WrongState):
    """The provider says that the state forbids it."""


class BatchNotFinished(WrongState):
    """The batch has no results yet."""


class ResultsMissing(WrongState):
    """The batch's counts say more than its files hold: look again later, and create nothing anew."""


class TooMuch(BatchgateError):
    """A limit or quota is used up."""


class CallerLimit(TooMuch):
    """The caller is over its own limit."""


class GatewayOverloaded(TooMuch):
    """The gateway has too much to do."""


class ProviderRateLimited(TooMuch):
    """The provider's rate limit is reached."""


class ProviderTokenLimit(TooMuch):
    """The tokens enqueued at the provider are at their limit: wait for batches to end."""


class ProviderQuotaExceeded(TooMuch):
    """A quota of the account is used up."""


class Unavailable(BatchgateError):
    """Somebody on the way does not answer, for now."""


class ProviderUnavailable(Unavailable):
    """The provider is in trouble."""


class ProviderUnreachable(Unavailable):
    """The gateway cannot connect to the provider."""


class ProviderTimeout(Unavailable):
    """The provider was too slow."""


class ServerDraining(Unavailable):
    """This gateway is shutting down; another replica will answer."""


class AuditUnavailable(Unavailable):
    """The gateway cannot record what is to be changed, and so changes nothing."""


class GatewayUnreachable(Unavailable):
    """No gateway has answered: nobody listens, the connection broke, or TLS does not fit."""


class TimedOut(BatchgateError):
    """The call's deadline was over."""


class CallTimeout(TimedOut):
    """The gateway's own deadline was over, for a call without one."""


class CallerIdle(TimedOut):
    """The caller of a stream neither sent nor read for long."""


class Cancelled(BatchgateError):
    """The call was cancelled by this side."""


class OutcomeUnknown(BatchgateError):
    """It may have been created: look, or repeat the call with the same `request_id`."""


class ChecksumMismatch(BatchgateError):
    """The bytes that arrived are not those that were announced."""


class ProviderBadResponse(BatchgateError):
    """The provider's answer cannot be read."""


class GatewayDefect(BatchgateError):
    """A defect of the gateway; its log has the details under `request_id`."""

    reason_of = "INTERNAL"


# Where no gateway has answered, gRPC's own status tells.
_BY_CODE: dict[grpc.StatusCode, type[BatchgateError]] = {
    grpc.StatusCode.UNAVAILABLE: GatewayUnreachable,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOut,
    grpc.StatusCode.CANCELLED: Cancelled,
}


def error_of(failed: grpc.RpcError, proxy: Proxy | None = None) -> BatchgateError:
    """The error for what a stub raised, sync or async; `proxy` is what the call went through."""
    # What stubs raise are calls too, though the type does not say so.
    call: Any = failed
    trailers = dict(call.trailing_metadata() or ())
    details = _details(str(call.details() or ""), trailers)
    kind = by_reason().get(details.reason) or _BY_CODE.get(call.code(), BatchgateError)
    if proxy and kind is GatewayUnreachable:
        way = f"through the proxy {proxy.address}, which {proxy.variable} names"
        details = replace(details, message=f"{details.message} ({way})")
    return kind(call.code(), details)


def by_reason() -> dict[str, type[BatchgateError]]:
    """The class of each reason."""
    return {_reason(kind): kind for kind in _leaves(BatchgateError) if not kind.__subclasses__()}


def _leaves(kind: type[BatchgateError]) -> Iterator[type[BatchgateError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _leaves(below)


def _reason(kind: type[BatchgateError]) -> str:
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in kind.__name__)
    return kind.reason_of or words[1:].upper()


def _details(message: str, trailers: Mapping[str, Any]) -> Details:
    status = status_pb2.Status()
    status.ParseFromString(trailers.get(DETAILS, b""))
    info = _found(status.details, error_details_pb2.ErrorInfo())
    bad = _found(status.details, error_details_pb2.BadRequest())
    quota = _found(status.details, error_details_pb2.QuotaFailure())
    retry = error_details_pb2.RetryInfo()
    waits = any(one.Unpack(retry) for one in status.details)
    return Details(
        message=message,
        reason=info.reason,
        metadata=dict(info.metadata),
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if waits else None,
        violations=[Violation(one.field, one.description) for one in bad.field_violations],
        quotas=[Violation(one.subject, one.description) for one in quota.violations],
        request_id=str(trailers.get("x-request-id", "")),
        provider_request_id=str(trailers.get("x-provider-request-id", "")),
    )


def _found(details: Sequence[AnyMessage], message: Any) -> Any:  # noqa: ANN401 - google.rpc has no types
    """`message`, filled from the detail of its kind, if there is one."""
    for one in details:
        if one.Unpack(message):
            break
    return message
