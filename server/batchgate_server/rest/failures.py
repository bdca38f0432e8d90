"""A provider's error answer as an exception of ours.

Decided by HTTP status and `error.code`; the one look at text that providers force on us is Azure
OpenAI's `token_limit_exceeded`, which it publishes only as text in a 400. Six envelopes occur: see
`tests/rest/test_failures.py`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from batchgate_server.errors import (
    FileTooLarge,
    GatewayError,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderConflict,
    ProviderCredentialRejected,
    ProviderForbidden,
    ProviderNotFound,
    ProviderQuotaExceeded,
    ProviderRateLimited,
    ProviderRejected,
    ProviderTokenLimit,
    ProviderUnavailable,
    ProviderUnreachable,
    Violation,
)
from batchgate_server.outside import one_line
from batchgate_server.rest.models import text

# UTF-8 bytes. Errors travel in headers, where the message stands up to three times, percent-encoded
# or in base64; all headers together may have 8 KiB, beyond which the caller would lose the status.
MAX_MESSAGE_BYTES = 800
MAX_WORD_BYTES = 200
# A provider, or a proxy before it, that asks for more is asked again all the same: nobody sleeps
# for a day because of one header.
MAX_RETRY_SECONDS = 300.0
QUOTA_CODES = {"insufficient_quota", "quotaExceeded"}
TOKEN_LIMIT = "token_limit_exceeded"  # noqa: S105 - an error code
# Nothing was done here; a 303, in contrast, may point at what was.
REDIRECTS = {301, 302, 307, 308}

ADVICE = {"true": True, "false": False}

# What a wrong base_url looks like, since a provider says what it has not got.
WITHOUT_WORDS = {
    404: "HTTP status 404 without a word of what is missing; does the configured URL end as the "
    "provider's API does, such as with /v1?"
}

BY_STATUS: Mapping[int, type[GatewayError]] = {
    401: ProviderCredentialRejected,
    403: ProviderForbidden,
    404: ProviderNotFound,
    407: ProviderUnreachable,  # a proxy's word, which has passed nothing on
    408: ProviderUnavailable,
    409: ProviderConflict,
    413: FileTooLarge,
    429: ProviderRateLimited,
}


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What the six envelopes have in common; empty where an envelope lacks it."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str = ""
    inner_code: str = ""


def read_error(body: bytes) -> ErrorBody:
    """The error in an answer's body, of whatever shape; empty for HTML and the like."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody()
    if not isinstance(document, dict):
        return ErrorBody()
    error = document.get("error")
    if isinstance(error, str):
        return ErrorBody(message=text(error))
    source = error if isinstance(error, dict) else document
    inner = source.get("innererror") or source.get("inner_error")
    detail = source.get("detail")
    return ErrorBody(
        message=text(source.get("message")) or _detail(detail),
        code=_word(source.get("code") or source.get("statusCode")),
        type=_word(source.get("type")),
        param=_word(source.get("param") or source.get("target")),
        inner_code=_word(inner.get("code")) if isinstance(inner, dict) else "",
    )


def _word(value: object) -> str:
    """A code or type; some servers write Python's None as text."""
    word = text(value)
    return "" if word in {"None", "null"} else word


def _detail(detail: object) -> str:
    """FastAPI's `detail`: a text, or a list of objects with `msg`."""
    if isinstance(detail, list):
        return "; ".join(
            text(item.get("msg") or item.get("message")) if isinstance(item, dict) else text(item)
            for item in detail
        )
    if isinstance(detail, dict):
        return text(detail.get("message"))
    return text(detail)


def retry_seconds(headers: Mapping[str, str]) -> float | None:
    """How long to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date; None if unsaid.

    Never more than `MAX_RETRY_SECONDS`.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * scale
        except ValueError:
            continue
        if seconds >= 0:
            return min(seconds, MAX_RETRY_SECONDS)
    when = _moment(headers.get("retry-after", ""))
    if when is None:
        return None
    # By the clock of the one who says it, if that is known: ours may be another.
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return min(max((when - now).total_seconds(), 0.0), MAX_RETRY_SECONDS)


def _moment(written: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(written)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def failure(
    *,
    provider: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    clean: Callable[[str], str],
    may_have_created: bool,
    credential: str = "the gateway's credential",
) -> GatewayError:
    """The exception for an answer that is no success.

    `clean` takes secrets out of the provider's message; `may_have_created` says that a creation was
    sent whole, so that an unclear failure must not invite a repeat; `credential` names the one used.
    """
    error = read_error(body)

    def fit(value: str, size: int = MAX_WORD_BYTES) -> str:
        # Cleaned before it is shortened: half a secret would not be recognised.
        return one_line(clean(value), size=size)

    said = fit(error.message, MAX_MESSAGE_BYTES) or WITHOUT_WORDS.get(
        status, f"HTTP status {status}"
    )
    metadata = {
        "provider": provider,
        "http_status": str(status),
        "provider_code": fit(error.code),
        "provider_type": fit(error.type),
        "provider_param": fit(error.param),
    }
    kind = _kind(status, error)
    message = f"{provider}: {said}"
    violations = []
    if kind is ProviderCredentialRejected:
        message = f"{provider} refused {credential}: {said}"
    elif may_have_created and kind is ProviderUnavailable and not _declined(status, error):
        kind = OutcomeUnknown
        message = f"{provider} failed ({said}) after the request was sent: look before repeating it"
    elif status in REDIRECTS:
        message = f"{provider} answered with a redirect (status {status}); check the configured URL"
    elif kind is ProviderBadResponse:
        message = f"{provider} answered with the unexpected status {status}"
    elif kind is ProviderQuotaExceeded:
        violations = [Violation(field=f"provider:{provider}", description=said)]
    elif kind is ProviderRejected and metadata["provider_param"]:
        violations = [Violation(field=metadata["provider_param"], description=said)]
    result = kind(
        message,
        metadata={key: value for key, value in metadata.items() if value},
        violations=violations,
        retry_seconds=retry_seconds(headers),
    )
    result.advice = ADVICE.get(headers.get("x-should-retry", "").lower())
    return result


def is_redirect(error: GatewayError) -> bool:
    """Whether the provider sent the request elsewhere, so that it did nothing of it."""
    return error.metadata.get("http_status", "") in map(str, REDIRECTS)


def _declined(status: int, error: ErrorBody) -> bool:
    """Whether the provider itself says "not now": a 503 of a proxy may hide that the work was done."""
    return status == 503 and bool(error.code or error.type)  # noqa: PLR2004 - an HTTP status


def _kind(status: int, error: ErrorBody) -> type[GatewayError]:
    codes = {error.code, error.type, error.inner_code}
    if status in {400, 429} and codes & QUOTA_CODES:
        return ProviderQuotaExceeded
    if status == 400 and (TOKEN_LIMIT in codes or TOKEN_LIMIT in error.message):  # noqa: PLR2004 - an HTTP status
        return ProviderTokenLimit
    if kind := BY_STATUS.get(status):
        return kind
    if status >= 500:  # noqa: PLR2004 - an HTTP status
        return ProviderUnavailable
    return ProviderRejected if status >= 400 else ProviderBadResponse  # noqa: PLR2004 - an HTTP status
