"""What a scraper and a browser get from the admin listener."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Gateway, tls


@dataclass(frozen=True)
class Scrape:
    """A text of metrics, read as Prometheus does."""

    text: str

    def samples(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Labels and values of the samples of this name that have these labels."""
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    yield sample.labels, sample.value

    def value(self, name: str, **labels: str) -> float:
        """Their sum; fails if there is none."""
        values = [value for _, value in self.samples(name, **labels)]
        assert values, f"no {name} with {labels}"
        return sum(values)

    def names(self) -> set[str]:
        """The names of all families, as they stand behind TYPE."""
        return {line.split()[2] for line in self.text.splitlines() if line.startswith("# TYPE ")}


async def ask(gateway: Gateway, path: str, **headers: str) -> httpx.Response:
    """The admin listener's answer."""
    async with httpx.AsyncClient(verify=tls()) as client:
        return await client.get(
            f"http://{gateway.application.admin_address}{path}", headers=headers
        )


async def scrape(gateway: Gateway) -> Scrape:
    """The metrics now."""
    answer = await ask(gateway, "/metrics")
    assert answer.status_code == 200
    return Scrape(answer.text)
