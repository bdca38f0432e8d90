"""A batch as it was when last seen, and how those who watch it get to know."""

import asyncio
from dataclasses import dataclass, field

from batchgate_server.errors import GatewayError
from batchgate_server.rest.models import RestBatch, RestRequestCounts

TERMINAL: frozenset[str] = frozenset({"failed", "completed", "expired", "cancelled"})
NO_COUNTS = RestRequestCounts()


def is_terminal(batch: RestBatch) -> bool:
    """Whether the batch will not change any more, in whatever words its server says so."""
    return batch.state in TERMINAL


@dataclass(frozen=True, slots=True)
class Observation:
    """What a provider said of a batch, and when (unix seconds)."""

    batch: RestBatch
    observed_at: float
    provider_request_id: str = ""
    """Of the look, which may have been at several batches."""

    def stage(self) -> tuple[str, str, str]:
        """The status and the file ids: what moves a batch on."""
        batch = self.batch
        return batch.status.lower(), batch.output_file_id, batch.error_file_id

    def counts(self) -> RestRequestCounts:
        """How many requests are done; null and a null of each are one."""
        return self.batch.request_counts or NO_COUNTS

    def differs(self, other: "Observation | None") -> bool:
        """Whether a watcher who knows `other` wants to know this one."""
        return other is None or self.stage() != other.stage() or self.counts() != other.counts()


@dataclass(slots=True, eq=False)
class Watched:
    """A batch that is watched: the newest state only, shared by all who watch it."""

    batch_id: str
    due: float
    """When to look next, by the event loop's clock."""
    watchers: int = 0
    latest: Observation | None = None
    fault: GatewayError | None = None
    """What went wrong with the last look, if that may pass."""
    end: GatewayError | None = None
    """Why nobody looks any more, unless the latest state is terminal."""
    looking: bool = False
    interval: float = 0.0
    """The seconds that were chosen between the last look and the next."""
    stage_since: float | None = None
    """When the stage was seen to change (unix seconds)."""
    faults: int = 0
    """How many looks went wrong in a row, in ways that may pass."""
    missed: int = 0
    """How often in a row the provider did not know the batch."""
    unlisted: bool = False
    """Whether it did not stand where a list was looked through."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def settled(self) -> bool:
        """Whether nobody needs to look any more."""
        return self.end is not None or (self.latest is not None and is_terminal(self.latest.batch))

    async def news(self) -> None:
        """Wait until anything is told."""
        await self._news.wait()

    def tell(self) -> None:
        """Wake all who wait for news."""
        self._news.set()
        self._news = asyncio.Event()
