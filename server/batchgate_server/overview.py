"""A process of the gateway as it is now, gathered from its parts when somebody asks."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric

from batchgate_server.admin.state import (
    Gathered,
    ProcessState,
    ProfileState,
    RunningCall,
    WatchedBatch,
)
from batchgate_server.audit import AuditLog
from batchgate_server.batches.observation import NO_COUNTS, Watched
from batchgate_server.batches.watching import Watching
from batchgate_server.interceptors.admission import Admission
from batchgate_server.metrics import definitions as d
from batchgate_server.metrics.recorder import Recorder, counters, gauges
from batchgate_server.observer import Observers
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.settings import Settings
from batchgate_server.stderr import STDERR
from batchgate_server.version import VERSION

# Told to whoever looks at the page; all are counted.
MOST_CALLS = 500


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is asked."""

    providers: ProviderRegistry
    watching: Watching
    admission: Admission
    audit: AuditLog
    observers: Observers


class Overview:
    """Asks the parts. Nothing is gathered before but what the recorder is told."""

    def __init__(self, settings: Settings, *, worker: int | None) -> None:
        self.recorder = Recorder()
        self._worker = worker
        self._began_at = time.time()
        self._parts: _Parts | None = None
        self.settings = settings
        """Those in force."""
        self.is_ready = False
        """Whether new calls are wanted."""

    def watch(
        self,
        *,
        providers: ProviderRegistry,
        watching: Watching,
        admission: Admission,
        audit: AuditLog,
        observers: Observers,
    ) -> None:
        """Ask these from now on; they tell the recorder."""
        self._parts = _Parts(providers, watching, admission, audit, observers)

    async def gathered(self) -> Gathered:
        """This process, which is all."""
        return Gathered([self.state()], is_ready=self.is_ready)

    def state(self) -> ProcessState:
        """All that is told."""
        assert self._parts  # noqa: S101 - nobody asks before there is a gateway
        parts = self._parts
        now = time.perf_counter()
        running = self.recorder.running
        watched = parts.watching.watched()
        return ProcessState(
            worker=self._worker,
            began_at=self._began_at,
            is_ready=self.is_ready,
            profiles=[_profile(provider) for provider in parts.providers],
            calls=[
                RunningCall(
                    method=call.method,
                    caller=call.caller.name,
                    provider=call.provider,
                    seconds=now - call.started,
                    received_bytes=call.received_bytes,
                    sent_bytes=call.sent_bytes,
                    request_id=call.request_id,
                )
                for call in running[:MOST_CALLS]
            ],
            batches=[_batch(provider, one) for provider, one in watched],
            errors=self.recorder.errors.all(),
            families=list(self._families(parts, watched)),
        )

    def _families(self, parts: _Parts, watched: list[tuple[str, Watched]]) -> Iterator[Metric]:
        yield from self.recorder.families()
        yield counters(d.REFUSED, Counter({("overload", ""): parts.admission.refused}))
        yield gauges(d.WAITING, Counter({(): parts.admission.waiting}))
        broken: Counter[tuple[str, ...]] = Counter()
        healthy: Counter[tuple[str, ...]] = Counter()
        for provider in parts.providers:
            broken[provider.name,] = int(bool(provider.rest.breaker.told()))
            if (seen := provider.rest.health.healthy) is not None:
                healthy[provider.name,] = int(seen)
        yield gauges(d.BREAKER, broken)
        yield gauges(d.HEALTHY, healthy)
        # A profile that nobody watches at has none, and not nothing.
        batches: Counter[tuple[str, ...]] = Counter({(one.name,): 0 for one in parts.providers})
        watchers = Counter(batches)
        for name, one in watched:
            batches[name,] += 1
            watchers[name,] += one.watchers
        yield gauges(d.WATCHED, batches)
        yield gauges(d.WATCHERS, watchers)
        yield gauges(d.DRAINING, Counter({(): int(not self.is_ready)}))
        yield gauges(d.AUDIT_LOST, Counter({(): parts.audit.missing}))
        yield counters(d.LOG_LINES_DROPPED, Counter({(): STDERR.dropped}))
        yield counters(d.OBSERVER_FAILURES, parts.observers.failures)
        yield gauges(d.BUILD, Counter({(VERSION,): 1}))


def _profile(provider: OpenAIProvider) -> ProfileState:
    health, left_alone = provider.rest.health, provider.rest.breaker.told()
    return ProfileState(
        name=provider.name,
        kind=provider.profile.kind,
        api_host=provider.api_host,
        healthy=health.healthy,
        checked_at=health.checked_at,
        detail="; ".join(filter(None, (health.detail, left_alone))),
    )


def _batch(provider: str, watched: Watched) -> WatchedBatch:
    latest = watched.latest
    counts = latest.counts() if latest else NO_COUNTS
    return WatchedBatch(
        provider=provider,
        batch_id=watched.batch_id,
        watchers=watched.watchers,
        status=latest.batch.status if latest else "",
        total=counts.total or 0,
        completed=counts.completed or 0,
        failed=counts.failed or 0,
        seen_at=latest.observed_at if latest else 0.0,
        fault=watched.fault.reason if watched.fault else "",
    )
