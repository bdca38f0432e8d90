"""The circuit breaker by a clock of the test's own."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from batchgate_server.errors import (
    GatewayError,
    GatewayOverloaded,
    InvalidJsonl,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderCredentialRejected,
    ProviderNotFound,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)
from batchgate_server.rest.breaker import Breaker, Limits


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("p", Limits(failures=3, after_seconds=10, probe_seconds=5), clock=clock)


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


def is_open(breaker: Breaker) -> bool:
    """Whether a request is refused; if not, it ends without telling anything."""
    try:
        with breaker.attempt():
            return False
    except ProviderUnavailable:
        return True


def fail(breaker: Breaker, error: GatewayError | None = None) -> None:
    with suppress(GatewayError), breaker.attempt():
        breaker.saw(error or ProviderUnavailable("p: Oops"))


def opened(breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker)
        clock.now += 5
    assert is_open(breaker) is False, "the time of the first probe"
    assert is_open(breaker)


def test_it_opens_after_so_many_failures_in_so_long_a_time(breaker: Breaker, clock: Clock) -> None:
    for _ in range(20):
        fail(breaker)
        assert not is_open(breaker), "too short a time"
    clock.now += 10
    assert not is_open(breaker)
    fail(breaker)
    assert is_open(breaker)


def test_time_alone_does_not_open_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 100
    fail(breaker)
    assert not is_open(breaker)
    fail(breaker)
    assert is_open(breaker)


@pytest.mark.parametrize(
    "kind", [ProviderUnavailable, ProviderTimeout, ProviderUnreachable, OutcomeUnknown]
)
def test_what_counts_as_a_failure(kind: type[GatewayError], breaker: Breaker, clock: Clock) -> None:
    for _ in range(3):
        fail(breaker, kind("no"))
        clock.now += 5
    clock.now -= 5
    assert is_open(breaker)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        ProviderRateLimited("429"),
        ProviderNotFound("404"),
        ProviderCredentialRejected("401"),
        ProviderBadResponse("HTML"),
    ],
)
def test_any_answer_begins_the_count_anew(
    answer: GatewayError | None, breaker: Breaker, clock: Clock
) -> None:
    for _ in range(3):
        fail(breaker)
        fail(breaker)
        clock.now += 20
        assert not breaker.told()
        breaker.saw(answer)


@pytest.mark.parametrize(
    "error", [GatewayOverloaded("full"), InvalidJsonl("line 1"), ProviderTimeout("no")]
)
def test_what_is_not_the_providers_tells_nothing(
    error: GatewayError, breaker: Breaker, clock: Clock
) -> None:
    """It neither counts as a failure nor ends a row of them."""
    fail(breaker)
    clock.now += 20
    fail(breaker)
    breaker.saw(error)
    assert is_open(breaker) is isinstance(error, ProviderTimeout)
    fail(breaker)
    assert is_open(breaker)


def test_what_it_says(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now += 2
    with pytest.raises(ProviderUnavailable) as caught, breaker.attempt():
        pass
    assert caught.value.message == (f"p {breaker.told()}; the last failure: p: Oops")
    assert caught.value.retry_seconds == 3
    assert caught.value.advice is False
    assert caught.value.metadata == {"provider": "p"}
    assert breaker.told() == (
        "has failed 3 times in 17 s, and is left alone but for a probe now and then"
    )
    breaker.saw(None)
    assert breaker.told() == ""


def test_one_probe_at_a_time(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now += 5
    with breaker.attempt():
        clock.now += 60
        assert is_open(breaker)
        breaker.saw(ProviderTimeout("still"))
    assert is_open(breaker), "not at once after one that failed"
    clock.now += 5
    with breaker.attempt():
        assert is_open(breaker)
        breaker.saw(None)
        assert not is_open(breaker)


def test_a_probe_that_tells_nothing_leaves_its_place(breaker: Breaker, clock: Clock) -> None:
    """As one whose caller goes away."""
    opened(breaker, clock)
    clock.now += 5
    with suppress(RuntimeError), breaker.attempt():
        raise RuntimeError
    assert is_open(breaker)
    clock.now += 5
    assert not is_open(breaker)


def test_a_long_probe_does_not_hold_up_the_next(breaker: Breaker, clock: Clock) -> None:
    opened(breaker, clock)
    clock.now += 5
    with breaker.attempt(long=True):
        assert is_open(breaker)
        clock.now += 5
        with breaker.attempt():
            breaker.saw(None)
        assert not is_open(breaker)


def test_it_can_be_turned_off(clock: Clock) -> None:
    off = Breaker("p", Limits(failures=0, after_seconds=0, probe_seconds=5), clock=clock)
    for _ in range(1000):
        fail(off)
    assert not is_open(off)


def test_each_change_is_logged_once(breaker: Breaker, clock: Clock, lines: list[Any]) -> None:
    opened(breaker, clock)
    for _ in range(5):
        clock.now += 5
        fail(breaker)
    breaker.saw(None)
    breaker.saw(None)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("provider left alone", "warning"),
        ("provider answers again", "info"),
    ]
    assert lines[0]["reason"] == "PROVIDER_UNAVAILABLE"
