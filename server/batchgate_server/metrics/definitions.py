"""All metrics: their names, labels and meaning. The README's table is made of this.

Names follow Prometheus (base units, `_total`) and, for RPCs, OpenTelemetry's conventions.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a metric is to be read."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric."""

    name: str
    """As it is scraped; of a histogram without `_bucket`, `_sum` and `_count`."""
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


def _counter(name: str, labels: str, meaning: str) -> Definition:
    return Definition(name, Kind.COUNTER, tuple(labels.split()), meaning)


def _gauge(name: str, labels: str, meaning: str) -> Definition:
    return Definition(name, Kind.GAUGE, tuple(labels.split()), meaning)


def _histogram(name: str, labels: str, meaning: str) -> Definition:
    return Definition(name, Kind.HISTOGRAM, tuple(labels.split()), meaning)


# A GetBatch takes milliseconds, an upload minutes, and a watch hours.
RPC_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
UPSTREAM_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)

RPC_DURATION = _histogram(
    "rpc_server_duration_seconds",
    "rpc_service rpc_method grpc_code",
    "Duration of RPCs, streams and watches included.",
)
RPCS = _counter(
    "batchgate_rpcs_total",
    "rpc_method grpc_code reason provider caller",
    "RPCs that have ended. `reason` is that of the error, `caller` is empty without callers.",
)
ERRORS = _counter(
    "batchgate_errors_total",
    "reason",
    "RPCs that have ended with this reason. All reasons are there from the start, so that the first "
    "error of its kind is seen as a rise, too.",
)
RPCS_RUNNING = _gauge("batchgate_rpcs_running", "rpc_method", "RPCs under way.")
REFUSED = _counter(
    "batchgate_limit_refusals_total",
    "limit caller",
    "RPCs that a limit refused or cut off: a setting of `limits` or of a caller, `max_connections` of a "
    "profile, or `overload`. "
    "`caller` is empty for what holds for all together.",
)
WAITING = _gauge("batchgate_rpcs_waiting", "", "RPCs that wait for their turn to begin.")
RECEIVED_BYTES = _counter(
    "batchgate_received_bytes_total",
    "rpc_method provider caller",
    "Bytes of file content that came from callers, those of running uploads included.",
)
SENT_BYTES = _counter(
    "batchgate_sent_bytes_total",
    "rpc_method provider caller",
    "Bytes of file content that went to callers.",
)
RECEIVED_LINES = _counter(
    "batchgate_received_lines_total",
    "rpc_method provider caller",
    "Lines of batches that came from callers and were looked at.",
)
SENT_LINES = _counter(
    "batchgate_sent_lines_total",
    "rpc_method provider caller",
    "Rows of results that went to callers.",
)
REQUESTS = _counter(
    "batchgate_upstream_requests_total",
    "provider operation status",
    "Requests to providers. `status` is the HTTP status, else the reason of the error, or `cancelled`.",
)
REQUEST_DURATION = _histogram(
    "batchgate_upstream_request_duration_seconds",
    "provider operation",
    "Time from a request to its answer; of an upload with its content, of a download without.",
)
RETRIES = _counter(
    "batchgate_upstream_retries_total",
    "provider",
    "Requests to providers that were sent again after failures that pass.",
)
BREAKER = _gauge(
    "batchgate_provider_breaker_open",
    "provider",
    "1 while the provider is left alone, since it did nothing but fail; else 0.",
)
HEALTHY = _gauge(
    "batchgate_provider_healthy",
    "provider",
    "1 or 0, as the provider was when last asked; there is none before anything was seen of it.",
)
WATCHED = _gauge("batchgate_watched_batches", "provider", "Batches that somebody watches.")
WATCHERS = _gauge(
    "batchgate_watchers", "provider", "RPCs that watch a batch or wait for it or its results."
)
POLLS = _counter(
    "batchgate_polls_total",
    "provider kind result",
    "Looks at watched batches: a `list` for several, a `get` for one. `result` is `ok` or a reason.",
)
BATCHES = _gauge(
    "batchgate_batches",
    "provider status",
    "Batches by the status that was last seen, of the 20,000 seen last.",
)
TOKENS = _counter(
    "batchgate_tokens_total",
    "provider model caller kind",
    "Tokens of batches, as their usage says once they have ended; each batch counts once for a "
    "process. `kind` is `input` or `output`; `caller` is the first who created, got or watched it.",
)
DRAINING = _gauge("batchgate_draining", "", "1 while the gateway shuts down, else 0.")
AUDIT_LOST = _gauge(
    "batchgate_audit_records_missing",
    "",
    "Records that the audit log lacks, since it cannot be written.",
)
LOG_LINES_DROPPED = _counter(
    "batchgate_log_lines_dropped_total",
    "",
    "Lines of the log that could not be written: its disk is full, or nobody reads it.",
)
OBSERVER_FAILURES = _counter(
    "batchgate_observer_failures_total",
    "observer",
    "Defects in what counts or traces calls, which go on all the same. `observer` is `metrics` or "
    "`traces`.",
)
BUILD = _gauge("batchgate_build_info", "version", "Always 1.")
WORKER_UP = _gauge(
    "batchgate_worker_up", "worker", "1 for a worker that answers, else 0; only with `--workers`."
)
WORKER_STARTS = _counter(
    "batchgate_worker_starts_total",
    "worker",
    "How often a worker's process was started; only with `--workers`.",
)

DEFINITIONS = (
    *(RPC_DURATION, RPCS, ERRORS, RPCS_RUNNING, WAITING, REFUSED),
    *(RECEIVED_BYTES, SENT_BYTES, RECEIVED_LINES, SENT_LINES),
    *(REQUESTS, REQUEST_DURATION, RETRIES, BREAKER, HEALTHY),
    *(WATCHED, WATCHERS, POLLS, BATCHES, TOKENS),
    *(DRAINING, AUDIT_LOST, LOG_LINES_DROPPED, OBSERVER_FAILURES, BUILD, WORKER_UP, WORKER_STARTS),
)
