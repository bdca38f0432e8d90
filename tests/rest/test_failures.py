"""Error answers of any shape, and how long they ask to wait."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from batchgate_server.errors import (
    FileTooLarge,
    GatewayError,
    OutcomeUnknown,
    ProviderError,
    ProviderUnavailable,
)
from batchgate_server.rest.failures import (
    MAX_RETRY_SECONDS,
    ErrorBody,
    failure,
    read_error,
    retry_seconds,
)
from tests.rest.test_models import JSON


def packed(document: object) -> bytes:
    return json.dumps(document).encode()


HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255))
DATES = st.datetimes().map(lambda when: format_datetime(when.replace(tzinfo=UTC)))
ODD_DATES = st.from_regex(
    r"\A(Mon, )?\d{1,2} (Jan|Feb|Dec) \d{1,6} \d{1,3}:\d\d(:\d\d)?( (GMT|[+-]\d{1,12}|[A-Z]{3}))?\Z"
)
WAITS = (
    HEADER_TEXT
    | DATES
    | ODD_DATES
    | st.floats().map(str)
    | st.integers().map(str)
    | st.sampled_from(["1_000", "nan", "-inf", "1e999", " 7 ", "0x10", "9" * 5000])
)


@given(headers=st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date"]), WAITS))
@example(headers={"retry-after": "Mon, 1 Jan 0001 00:00:00 +2359"})
@example(headers={"retry-after": "Mon, 1 Jan 9999 00:00:00 -2359"})
@example(headers={"retry-after": "Mon, 1 Jan 2024 00:00:00 +999999999999"})
@example(headers={"retry-after": "Mon, 1 Jan 99999999999 00:00:00 GMT"})
def test_any_wait_is_a_number_in_reach_or_none(headers: dict[str, str]) -> None:
    seconds = retry_seconds(headers)
    assert seconds is None or 0 <= seconds <= MAX_RETRY_SECONDS


def test_a_date_is_held_against_the_clock_of_who_sends_it() -> None:
    """Ours may be another, or may just have jumped."""
    for year in (1999, 2100):
        date, until = f"Fri, 31 Dec {year} 23:59:59 GMT", f"Sat, 01 Jan {year + 1} 00:00:39 GMT"
        assert retry_seconds({"retry-after": until, "date": date}) == 40
        assert retry_seconds({"retry-after": until, "date": "nonsense"}) in {0, MAX_RETRY_SECONDS}


def test_a_date_without_a_zone_is_in_utc() -> None:
    when = (datetime.now(UTC) + timedelta(seconds=50)).strftime("%a, %d %b %Y %H:%M:%S")
    seconds = retry_seconds({"retry-after": when})
    assert seconds is not None
    assert 40 < seconds <= 50


@given(body=st.binary())
@example(body=b"[" * 100_000)
@example(body=b'{"error":' * 50_000)
@example(body=b"1" * 10_000)
@example(body=b'{"error":{"code":1e999}}')
@example(body=b"\xff\xfe{\x00}\x00")
@example(body=b'\xef\xbb\xbf{"message":"x"}')
def test_any_bytes_are_some_error(body: bytes) -> None:
    assert isinstance(read_error(body), ErrorBody)


@given(document=JSON, wrapped=st.sampled_from(["error", "detail", "message", "innererror", None]))
def test_any_document_is_some_error(document: Any, wrapped: str | None) -> None:
    error = read_error(packed({wrapped: document} if wrapped else document))
    for value in (error.message, error.code, error.type, error.param, error.inner_code):
        value.encode()


@given(
    status=st.integers(100, 999).filter(lambda status: not 200 <= status < 300),
    document=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("message", "code", "type", "param", "innererror"), JSON)
    ),
    creating=st.booleans(),
)
def test_any_failure_fits_into_a_status(
    status: int, document: dict[str, Any], creating: bool
) -> None:
    error = failure(
        provider="openai",
        status=status,
        headers={},
        body=packed({"error": document}),
        clean=lambda value: value,
        may_have_created=creating,
    )
    assert isinstance(error, ProviderError | FileTooLarge)
    assert isinstance(error, GatewayError)
    assert error.metadata["http_status"] == str(status)
    assert error.message.isprintable()
    if creating and isinstance(error, ProviderUnavailable):
        assert status == 503
    if not creating:
        assert not isinstance(error, OutcomeUnknown)
    length = len(error.message.encode())
    assert length < 1000
    details = sum(len(f"{key}{value}".encode()) + 8 for key, value in error.metadata.items())
    details += sum(len(f"{v.field}{v.description}".encode()) for v in error.violations)
    assert 3 * length + (length + details) * 4 / 3 < 7000
