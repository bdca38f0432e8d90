"""The metrics of all processes as one text."""

from collections.abc import Iterator

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from batchgate_server.admin.state import Gathered

# When a counter began: it doubles the series, and Prometheus does not need it.
CREATED = "_created"


class Processes(Collector):
    """Metrics of one process, or those of several, each sample with its worker.

    They are not added up: a worker that is started again counts from zero, and the sum would look
    as if all had been.
    """

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered

    def collect(self) -> Iterator[Metric]:
        """The families, each once."""
        families: dict[str, Metric] = {}
        for state in self._gathered.states:
            for family in state.families:
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    if sample.name.endswith(CREATED):
                        continue
                    if state.worker is not None:
                        labels = {**sample.labels, "worker": str(state.worker)}
                        sample = sample._replace(labels=labels)  # noqa: PLW2901 - the same, told further
                    whole.samples.append(sample)
        yield from families.values()
        yield from self._gathered.metrics


def text_of(processes: Processes, *, accept: str) -> tuple[bytes, str]:
    """The metrics and their media type, in the form that a scraper asks for."""
    encode, media_type = choose_encoder(accept)
    # Encoders want no more of a registry than this.
    return encode(processes), media_type
