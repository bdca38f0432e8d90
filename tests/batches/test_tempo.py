"""How often a batch is looked at: bounds, growth, jitter, and pauses after faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.batches.tempo import interval, pause, stage_age
from batchgate_server.errors import ProviderRateLimited, ProviderUnavailable
from batchgate_server.rest.models import RestBatch
from batchgate_server.settings import WatchSettings

DEFAULTS = WatchSettings()
SECONDS = st.floats(min_value=0, max_value=1e9)
LUCK = st.floats(min_value=0, max_value=1)


@st.composite
def settings(draw: st.DrawFn) -> WatchSettings:
    first = draw(st.floats(min_value=1e-3, max_value=1e4))
    slowest = first + draw(st.floats(min_value=0, max_value=1e4))
    return WatchSettings(first_poll_seconds=first, slowest_poll_seconds=slowest)


@given(settings(), SECONDS, st.booleans(), LUCK)
def test_an_interval_is_between_the_bounds_give_or_take_the_jitter(
    settings: WatchSettings, age: float, moving: bool, luck: float
) -> None:
    seconds = interval(settings, age=age, moving=moving, luck=luck)
    assert settings.first_poll_seconds * 0.9 <= seconds * 1.000001
    assert seconds <= settings.slowest_poll_seconds * 1.1 * 1.000001


@given(settings(), SECONDS, SECONDS, LUCK)
def test_an_interval_grows_with_the_age_and_shrinks_with_movement(
    settings: WatchSettings, age: float, more: float, luck: float
) -> None:
    seconds = interval(settings, age=age, moving=False, luck=luck)
    assert interval(settings, age=age + more, moving=False, luck=luck) >= seconds
    assert interval(settings, age=age, moving=True, luck=luck) <= seconds


@given(settings(), SECONDS, st.booleans(), LUCK, LUCK)
def test_luck_moves_an_interval_by_a_tenth_at_most(
    settings: WatchSettings, age: float, moving: bool, luck: float, other: float
) -> None:
    middle = interval(settings, age=age, moving=moving, luck=0.5)
    seconds = interval(settings, age=age, moving=moving, luck=luck)
    assert abs(seconds - middle) <= middle * 0.100001
    if luck <= other:
        assert seconds <= interval(settings, age=age, moving=moving, luck=other)


@pytest.mark.parametrize(
    ("age", "moving", "seconds"),
    [(0, False, 5), (100, False, 10), (599, True, 29.95), (3600, False, 60), (3600, True, 30)],
)
def test_the_defaults_fit_real_services(age: float, moving: bool, seconds: float) -> None:
    assert interval(DEFAULTS, age=age, moving=moving, luck=0.5) == pytest.approx(seconds)


@given(settings(), st.integers(min_value=1, max_value=10**6), LUCK)
def test_a_pause_doubles_to_the_slowest_poll(
    settings: WatchSettings, faults: int, luck: float
) -> None:
    fault = ProviderUnavailable("broke off")  # no answer, so the provider asked for nothing
    seconds = pause(settings, fault, faults=faults, luck=luck)
    assert settings.first_poll_seconds <= seconds <= settings.slowest_poll_seconds * 1.100001
    assert pause(settings, fault, faults=faults + 1, luck=luck) >= seconds
    if faults == 1:
        assert seconds <= settings.first_poll_seconds * 1.100001


@given(settings(), st.floats(min_value=0, max_value=86400), LUCK)
def test_a_pause_is_as_long_as_the_provider_asks(
    settings: WatchSettings, asked: float, luck: float
) -> None:
    fault = ProviderRateLimited("slower", metadata={"http_status": "429"}, retry_seconds=asked)
    assert pause(settings, fault, faults=1, luck=luck) >= asked


@given(st.lists(st.one_of(st.none(), SECONDS), min_size=5, max_size=5), SECONDS)
def test_a_stage_is_as_old_as_the_last_thing_that_happened(
    times: list[float | None], now: float
) -> None:
    created, in_progress, finalizing, cancelling, seen = times
    batch = RestBatch(
        id="batch_1",
        created_at=created,
        in_progress_at=in_progress,
        finalizing_at=finalizing,
        cancelling_at=cancelling,
    )
    age = stage_age(batch, seen_since=seen, now=now)
    known = [time for time in times if time]
    assert age >= 0
    assert age == (max(now - max(known), 0) if known else pytest.approx(0 if seen is None else now))
