"""When a request is sent again: the wait, and what may be repeated at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.errors import (
    GatewayError,
    GatewayOverloaded,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderNotFound,
    ProviderQuotaExceeded,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderTokenLimit,
    ProviderUnavailable,
    ProviderUnreachable,
)
from batchgate_server.rest.retrying import Retries, is_worth_repeating

RETRIES = Retries(most=2, first_seconds=0.5, cap_seconds=8.0)
SECONDS = st.floats(0, 20, allow_nan=False)


@given(attempt=st.integers(1, 10_000), asked=st.none() | SECONDS)
def test_the_wait_is_what_was_asked_for_and_a_part_of_the_backoff(
    attempt: int, asked: float | None
) -> None:
    wait = RETRIES.wait(ProviderRateLimited("no", retry_seconds=asked), attempt=attempt)
    if asked is not None and asked > RETRIES.cap_seconds:
        assert wait is None
    else:
        assert wait is not None
        backoff = wait - (asked or 0.0)
        assert -1e-9 <= backoff <= min(0.5 * 2 ** min(attempt - 1, 10), 8.0)


def test_the_jitter_is_full() -> None:
    waits = [RETRIES.wait(ProviderTimeout("no"), attempt=3) or 0.0 for _ in range(300)]
    assert min(waits) < 0.4
    assert 1.6 < max(waits) <= 2.0


# What is repeated: of reads and the like, and of creations.
REPEATED: dict[type[GatewayError], tuple[bool, bool]] = {
    ProviderUnreachable: (True, True),
    ProviderRateLimited: (True, True),
    ProviderUnavailable: (True, False),
    ProviderTimeout: (True, False),
    OutcomeUnknown: (False, False),
    ProviderBadResponse: (False, False),
    ProviderNotFound: (False, False),
    ProviderQuotaExceeded: (False, False),
    ProviderTokenLimit: (False, False),
    GatewayOverloaded: (False, False),
}


@pytest.mark.parametrize("kind", REPEATED)
def test_what_is_repeated(kind: type[GatewayError]) -> None:
    error = kind("no")
    reads, creations = REPEATED[kind]
    assert is_worth_repeating(error, creates=False) is reads
    assert is_worth_repeating(error, creates=True) is creations
    error.advice = True
    assert is_worth_repeating(error, creates=False)
    assert is_worth_repeating(error, creates=True) is creations, "it may make a second one"
    error.advice = False
    assert not is_worth_repeating(error, creates=False)
    assert not is_worth_repeating(error, creates=True)
