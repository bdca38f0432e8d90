"""A process of the gateway as it is at a moment: plain values, which travel between processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from batchgate_server.metrics.recent_errors import RecentError


@dataclass(frozen=True, slots=True)
class ProfileState:
    """A provider profile."""

    name: str
    kind: str
    api_host: str
    healthy: bool | None
    """As it was when last asked; None if it never was."""
    checked_at: float
    """Unix seconds; 0 if never."""
    detail: str
    """What is wrong, if anything is."""


@dataclass(frozen=True, slots=True)
class RunningCall:
    """An RPC under way."""

    method: str
    caller: str
    provider: str
    seconds: float
    received_bytes: int
    sent_bytes: int
    request_id: str


@dataclass(frozen=True, slots=True)
class WatchedBatch:
    """A batch that somebody watches."""

    provider: str
    batch_id: str
    watchers: int
    status: str
    """The provider's word; empty before the first look."""
    total: int
    completed: int
    failed: int
    seen_at: float
    """Unix seconds; 0 before the first look."""
    fault: str
    """The reason why the last look failed, if it did."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """All of a process."""

    worker: int | None
    """Which of several it is, if there are several."""
    began_at: float
    """Unix seconds."""
    is_ready: bool
    profiles: Sequence[ProfileState]
    calls: Sequence[RunningCall]
    batches: Sequence[WatchedBatch]
    errors: Sequence[RecentError]
    """The oldest first."""
    families: Sequence[Metric]
    """Its metrics."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that is known at a moment."""

    states: Sequence[ProcessState]
    """The processes that serve, as far as they answer."""
    is_ready: bool
    """Whether new calls are wanted."""
    metrics: Sequence[Metric] = ()
    """Those that are of none of the processes."""
