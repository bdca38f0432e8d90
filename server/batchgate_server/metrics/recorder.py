"""Counts what it is told, cheaply: each RPC passes through here several times."""

from collections import Counter
from collections.abc import Iterator
from time import perf_counter

from grpc import StatusCode
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from typing_extensions import override

from batchgate_server.call import Call
from batchgate_server.errors import CallerLimit, GatewayError, GatewayOverloaded, reasons
from batchgate_server.metrics import definitions as d
from batchgate_server.metrics.bounded import Bounded
from batchgate_server.metrics.operations import operation_of
from batchgate_server.metrics.recent_errors import RecentErrors
from batchgate_server.metrics.seen_batches import MOST_CALLERS, SeenBatches
from batchgate_server.observer import Batch, Exchange, Metadata, Observer

# Asked for as an attribute, a name takes longer to find than all else here.
_NAMES = {code: code.name for code in StatusCode}
_TRAFFIC = {
    "received_bytes": d.RECEIVED_BYTES,
    "sent_bytes": d.SENT_BYTES,
    "received_lines": d.RECEIVED_LINES,
    "sent_lines": d.SENT_LINES,
}
# Of all callers together; what queues is counted elsewhere.
LIMITS = (
    "max_calls",
    "max_uploads",
    "max_watches",
    "calls_per_second",
    "bytes_per_day",
    "max_connections",
)


class _Durations(dict[tuple[str, ...], Histogram]):
    """The series of a histogram by their labels: far quicker found here than by the library."""

    def __init__(
        self, definition: d.Definition, registry: CollectorRegistry, buckets: tuple[float, ...]
    ) -> None:
        super().__init__()
        self._metric = Histogram(
            definition.name,
            definition.meaning,
            definition.labels,
            registry=registry,
            buckets=buckets,
        )

    def __missing__(self, labels: tuple[str, ...]) -> Histogram:
        series = self[labels] = self._metric.labels(*labels)
        return series


class _Counts(Counter[tuple[str, ...]]):
    """A counter's values by its labels."""

    def __init__(self, definition: d.Definition) -> None:
        super().__init__()
        self._definition = definition

    def family(self) -> Metric:
        """As it is scraped."""
        return counters(self._definition, self)


class Recorder(Observer):
    """Metrics of RPCs, requests to providers, polls and batches."""

    name = "metrics"

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        self._callers = Bounded(MOST_CALLERS)
        self._durations = _Durations(d.RPC_DURATION, self._registry, d.RPC_BUCKETS)
        self._requests_took = _Durations(d.REQUEST_DURATION, self._registry, d.UPSTREAM_BUCKETS)
        self._rpcs, self._requests, self._retries = map(_Counts, (d.RPCS, d.REQUESTS, d.RETRIES))
        self._polls, self._refused = map(_Counts, (d.POLLS, d.REFUSED))
        self._reasons = _Counts(d.ERRORS)
        self._reasons.update(dict.fromkeys(((reason,) for reason in reasons()), 0))
        self._refused.update(dict.fromkeys(((limit, "") for limit in LIMITS), 0))
        self._traffic = {name: _Counts(definition) for name, definition in _TRAFFIC.items()}
        self._running: dict[int, Call] = {}
        self._batches = SeenBatches()
        self._errors = RecentErrors()

    @property
    def running(self) -> list[Call]:
        """The RPCs under way."""
        return list(self._running.values())

    @property
    def errors(self) -> RecentErrors:
        """The last RPCs that failed."""
        return self._errors

    @override
    def call_began(self, call: Call, metadata: Metadata) -> None:
        self._running[id(call)] = call

    @override
    def call_ended(
        self, call: Call, code: StatusCode, reason: str, *, error: BaseException | None
    ) -> None:
        self._running.pop(id(call), None)
        name = _NAMES[code]
        _, service, method = call.method.split("/")
        caller = self._callers(call.caller.name)
        self._durations[service, method, name].observe(perf_counter() - call.started)
        self._rpcs[method, name, reason, call.provider, caller] += 1
        if call.retries:
            self._retries[call.provider,] += call.retries
        _count_traffic(self._traffic, call, (method, call.provider, caller))
        if error is not None:
            if reason:
                self._reasons[reason,] += 1
            if isinstance(error, CallerLimit | GatewayOverloaded) and error.limit:
                own = caller if isinstance(error, CallerLimit) else ""
                self._refused[error.limit, own] += 1
            self._errors.note(call, code, reason, error)

    @override
    def exchange_ended(self, exchange: Exchange) -> None:
        operation = operation_of(exchange.method, exchange.path)
        took = perf_counter() - exchange.began
        self._requests_took[exchange.provider, operation].observe(took)
        self._requests[exchange.provider, operation, exchange.outcome()] += 1

    @override
    def batch_watched(self, provider: str, batch_id: str, *, caller: str) -> None:
        self._batches.watched(provider, batch_id, caller=caller)

    @override
    def batch_seen(self, provider: str, batch: Batch, *, caller: str) -> None:
        self._batches.saw(provider, batch, caller=caller)

    @override
    def polled(self, provider: str, *, kind: str, error: GatewayError | None) -> None:
        self._polls[provider, kind, error.reason if error else "ok"] += 1

    def families(self) -> Iterator[Metric]:
        """All that was recorded, and the process."""
        yield from self._registry.collect()
        for counts in (
            self._rpcs,
            self._reasons,
            self._requests,
            self._retries,
            self._polls,
            self._refused,
        ):
            yield counts.family()
        traffic = {name: _Counts(definition) for name, definition in _TRAFFIC.items()}
        running: Counter[tuple[str, ...]] = Counter()
        for call in self._running.values():
            method = call.method.rpartition("/")[2]
            running[method,] += 1
            # A caller is known before it moves anything.
            labels = (method, call.provider, self._callers(call.caller.name))
            _count_traffic(traffic, call, labels)
        for name, counts in traffic.items():
            counts.update(self._traffic[name])
            yield counts.family()
        yield gauges(d.RPCS_RUNNING, running)
        yield gauges(d.BATCHES, self._batches.by_status())
        yield counters(d.TOKENS, self._batches.tokens)


def _count_traffic(traffic: dict[str, _Counts], call: Call, labels: tuple[str, str, str]) -> None:
    # One by one and not by name: that is several times as quick, for each call.
    if size := call.received_bytes:
        traffic["received_bytes"][labels] += size
    if size := call.sent_bytes:
        traffic["sent_bytes"][labels] += size
    if lines := call.received_lines:
        traffic["received_lines"][labels] += lines
    if lines := call.sent_lines:
        traffic["sent_lines"][labels] += lines


def counters(definition: d.Definition, values: Counter[tuple[str, ...]]) -> Metric:
    """A counter as it is scraped."""
    family = CounterMetricFamily(definition.name, definition.meaning, labels=definition.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family


def gauges(definition: d.Definition, values: Counter[tuple[str, ...]]) -> Metric:
    """A gauge as it is scraped."""
    family = GaugeMetricFamily(definition.name, definition.meaning, labels=definition.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
