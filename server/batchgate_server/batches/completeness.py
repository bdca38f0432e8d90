"""Whether a batch's files hold what its counts say, and the patience until they do.

Providers name the files of a batch a little later than its end, or never: a batch whose counts say
more than its files can hold has results that are not there, which is neither success nor failure.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from batchgate_server.call import current_call
from batchgate_server.errors import (
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
    ResultsMissing,
)
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch

# Seconds between polls of a batch whose results are not there yet: a minute in all, and short
# enough for heartbeats between two.
STREAM_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0)
# A unary call has less time.
UNARY_PAUSES = (0.5, 1.0, 2.0, 4.0)
# A batch that ended longer ago gets no files any more.
RECENT_SECONDS = 300.0
# How long a caller is advised to wait.
RETRY_SECONDS = 30.0
# An error is on its way so long before the caller's deadline.
ANSWER_SECONDS = 1.0

# A bad moment of the provider is waited out, as watches do.
PASSING = (ProviderRateLimited, ProviderTimeout, ProviderUnavailable, ProviderUnreachable)
Lacks = Callable[[RestBatch], bool]


def completed_count(batch: RestBatch) -> int:
    """The requests that succeeded, by the batch's counts; 0 where it has none."""
    return (batch.request_counts and batch.request_counts.completed) or 0


def done_count(batch: RestBatch) -> int:
    """The requests that have ended, well or not."""
    failed = (batch.request_counts and batch.request_counts.failed) or 0
    return completed_count(batch) + failed


def total_count(batch: RestBatch) -> int:
    """All requests."""
    return (batch.request_counts and batch.request_counts.total) or 0


def lacks_output(batch: RestBatch) -> bool:
    """Whether requests have succeeded, and no output file is named for them."""
    return completed_count(batch) > 0 and not batch.output_file_id


def lacks_errors(batch: RestBatch, *, rows: int) -> bool:
    """Whether requests have failed that are not among the `rows` of the output file.

    Some providers write them there; else the error file has them.
    """
    return not batch.error_file_id and completed_count(batch) < done_count(batch) > rows


def is_recent(batch: RestBatch, *, otherwise: bool = True) -> bool:
    """Whether the batch ended just now; `otherwise` where its end is not known."""
    times = (batch.completed_at, batch.expired_at, batch.cancelled_at, batch.failed_at)
    ends = [end for end in times if end]
    return time.time() - max(ends) < RECENT_SECONDS if ends else otherwise


async def polled(
    provider: OpenAIProvider, seen: RestBatch, lacks: Lacks, pauses: Sequence[float]
) -> AsyncGenerator[RestBatch, None]:
    """The batch as it is after each pause, until it lacks nothing any more or patience ends."""
    call = current_call()
    clock = asyncio.get_running_loop().time
    for pause in pauses if is_recent(seen) and lacks(seen) else ():
        if clock() + pause + ANSWER_SECONDS > min(call.deadline, call.default_deadline):
            return
        await asyncio.sleep(pause)
        with suppress(*PASSING):
            seen = await provider.get_batch(seen.id)
        yield seen
        if not lacks(seen):
            return


def ensure_results(provider: OpenAIProvider, batch: RestBatch, *, rows: int) -> None:
    """Raises ResultsMissing where the files, of so many rows, cannot be what the counts say."""
    done = done_count(batch)
    if rows < done and (lacks_output(batch) or (not rows and completed_count(batch))):
        named = "has files without results"
        if not (batch.output_file_id or batch.error_file_id):
            named = "names neither an output nor an error file"
        elif lacks_output(batch):
            named = "names no output file"
        raise results_missing(
            provider, batch, f"is {batch.status} with {done} requests done, but {named}"
        )


def results_missing(provider: OpenAIProvider, batch: RestBatch, what: str) -> ResultsMissing:
    """The error; waiting is advised while the batch ended just now."""
    return ResultsMissing(
        f"{batch.id} {what}",
        metadata={"provider": provider.name},
        # Nobody is sent back again and again to a batch whose end is not known.
        retry_seconds=RETRY_SECONDS if is_recent(batch, otherwise=False) else None,
    )
