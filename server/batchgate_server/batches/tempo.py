"""How often to look at a batch: pure functions of what is known of it.

A batch takes minutes to a day, and nobody minds to learn of its end a tenth of that later. So the
time between two looks is a tenth of the time that it has been in its stage (its status and files),
between the two bounds of the settings; half as long while its counts move. `luck` is a random
number from 0 to 1, so that many gateways do not fall into step.
"""

from batchgate_server.errors import GatewayError
from batchgate_server.rest.models import RestBatch
from batchgate_server.settings import WatchSettings

FRACTION = 0.1
JITTER = 0.1
# Doubling a pause more often than this takes it beyond any bound.
MOST_DOUBLINGS = 32


def interval(settings: WatchSettings, *, age: float, moving: bool, luck: float) -> float:
    """Seconds until the next look at a batch that has been in its stage for `age` seconds."""
    first, slowest = settings.first_poll_seconds, settings.slowest_poll_seconds
    seconds = min(max(age * FRACTION, first), slowest)
    if moving:
        seconds = max(seconds / 2, first)
    return seconds * (1 - JITTER + 2 * JITTER * luck)


def pause(settings: WatchSettings, fault: GatewayError, *, faults: int, luck: float) -> float:
    """Seconds until the next look after `faults` looks in a row that went wrong.

    Doubles each time up to the slowest poll, and is never less than the provider asked for.
    """
    doublings = min(max(faults - 1, 0), MOST_DOUBLINGS)
    seconds = min(settings.first_poll_seconds * 2.0**doublings, settings.slowest_poll_seconds)
    # The error's `retry_seconds` may be only the gateway's guess for callers.
    return max(seconds, fault.asked_seconds or 0.0) * (1 + JITTER * luck)


def stage_age(batch: RestBatch, *, seen_since: float | None, now: float) -> float:
    """For how many seconds the batch has been in its stage, as far as anybody knows.

    `seen_since` is when the gateway saw it change; all times are unix seconds. A provider's clock
    may be ahead of ours.
    """
    said = (batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.cancelling_at)
    since = [moment for moment in (*said, seen_since) if moment is not None]
    return max(now - max(since), 0.0) if since else 0.0
