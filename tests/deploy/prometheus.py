"""A real Prometheus that scrapes one target, and answers queries."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import eventually

CONFIGURATION = """
global: {{ scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms }}
rule_files: [ {rules} ]
scrape_configs:
  - job_name: batchgate
    static_configs: [ {{ targets: [ "{target}" ] }} ]
"""


class Prometheus:
    """Asked for what it has scraped."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """The vector that an expression gives now."""
        answer = await self._client.get("/api/v1/query", params={"query": expression})
        document = answer.json()
        assert document["status"] == "success", (expression, document)
        result: list[dict[str, Any]] = document["data"]["result"]
        return result

    async def rules(self) -> list[dict[str, Any]]:
        """The rules as they were evaluated."""
        answer = await self._client.get("/api/v1/rules")
        return [rule for group in answer.json()["data"]["groups"] for rule in group["rules"]]


@asynccontextmanager
async def scraping(
    program: str, folder: Path, *, target: str, rules: Path
) -> AsyncIterator[Prometheus]:
    """A Prometheus with its data in `folder`."""
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(target=target, rules=rules))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://{address}") as client:

            async def ready() -> bool:
                try:
                    return (await client.get("/-/ready")).status_code == httpx.codes.OK
                except httpx.TransportError:
                    return False

            await eventually(ready, timeout_seconds=60)
            yield Prometheus(client)
    finally:
        process.terminate()
        await process.wait()
