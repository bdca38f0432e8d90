"""The shipped Envoy configuration, in a real Envoy before two gateways under load."""

import asyncio
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from batchgate_client import AsyncClient
from batchgate_client.errors import ProviderNotFound
from tests.chaos.ports import fixed_port, wait_listening
from tests.conftest import Account, tls
from tests.process.conftest import GatewayProcess, Serve, Start, serve, start
from tests.tools import tool
from tests.waiting import eventually

__all__ = ["serve", "start"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = (ROOT / "server" / "deploy" / "envoy" / "envoy.yaml").read_text()
DRAIN_DELAY_SECONDS = re.findall(
    r"^drain_delay_seconds = (\d+)$",
    (ROOT / "server" / "deploy" / "batchgate.toml").read_text(),
    flags=re.MULTILINE,
)[0]
ENDPOINT = re.compile(r"              - endpoint: .*\n")


def configuration(directory: Path, ports: dict[int, int], gateways: list[str]) -> Path:
    """The shipped one, with this test's addresses put in."""
    text = SHIPPED.replace("batchgate.binpb", str(directory / "batchgate.binpb"))
    for shipped, port in ports.items():
        assert f"port_value: {shipped} " in text
        text = text.replace(f"port_value: {shipped} ", f"port_value: {port} ")
    (endpoint,) = ENDPOINT.findall(text)
    endpoints = "".join(
        endpoint.replace("batchgate.batchgate.svc", "127.0.0.1").replace("50051", port)
        for port in (gateway.rpartition(":")[2] for gateway in gateways)
    )
    file = directory / "envoy.yaml"
    file.write_text(text.replace(endpoint, endpoints).replace("0.0.0.0", "127.0.0.1"))
    return file


@contextmanager
def envoy(directory: Path, gateways: list[str]) -> Iterator[dict[int, int]]:
    """A running Envoy: the ports that stand for the shipped ones."""
    ports = {port: fixed_port() for port in (50050, 50080, 9901)}
    described = directory / "batchgate.binpb"
    subprocess.run([tool("buf"), "build", ROOT / "protos", "-o", described], check=True)
    file = configuration(directory, ports, gateways)
    command = [tool("envoy"), "-c", str(file), "--concurrency", "1", "-l", "warning"]
    checked = subprocess.run([*command, "--mode", "validate"], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    with (
        (directory / "envoy.log").open("wb") as log,
        subprocess.Popen([*command, "--use-dynamic-base-id"], stderr=log) as process,
    ):
        try:
            wait_listening(ports[50050], process)
            yield ports
        finally:
            process.terminate()


@pytest.fixture
async def gateways(serve: Serve, start: Start) -> list[GatewayProcess]:
    return [
        await start(
            "--log-format",
            "json",
            listen=f"127.0.0.1:{fixed_port()}",
            BATCHGATE_WATCH__FIRST_POLL_SECONDS="0.1",
            BATCHGATE_SERVER__DRAIN_DELAY_SECONDS=DRAIN_DELAY_SECONDS,
        )
        for _ in range(2)
    ]


async def test_calls_go_round_and_past_a_gateway_that_is_gone(
    gateways: list[GatewayProcess], account: Account, tmp_path: Path
) -> None:
    with envoy(tmp_path, [one.address for one in gateways]) as ports:
        async with AsyncClient(f"127.0.0.1:{ports[50050]}") as client:

            async def both_answer() -> bool:
                # A refusal while Envoy has not yet found who is healthy.
                async with httpx.AsyncClient(verify=tls()) as http:
                    told = await http.get(f"http://127.0.0.1:{ports[9901]}/clusters?format=json")
                (cluster,) = [
                    one for one in told.json()["cluster_statuses"] if one["name"] == "gateways"
                ]
                healthy = Counter(
                    host["health_status"].get("failed_active_health_check", False)
                    for host in cluster["host_statuses"]
                )
                return healthy == {False: 2}

            await eventually(both_answer)
            content = bytes(20_000_000)
            file = (await client.upload_file(content, purpose="vision", filename="a.png")).file
            assert file.size_bytes == len(content)
            rows = ({"custom_id": str(n), "body": {"messages": []}} for n in range(5000))
            submission = await client.submit_batch(rows, endpoint="/v1/chat/completions", model="m")
            events = [news async for news in client.watch_batch(submission.batch.id)]
            assert events[-1].batch.status_text == "completed"
            assert len([row async for row in client.results(submission.batch.id)]) == 5000
            with pytest.raises(ProviderNotFound) as caught:
                await client.get_file("file-none")
            assert caught.value.metadata["http_status"] == "404"
            await load(client, calls=200)
            gateways[0].signal(signal.SIGTERM)
            # Health says so at once, and Envoy, which asks each 2 s, sends callers elsewhere before
            # this one refuses.
            ended = asyncio.create_task(gateways[0].end())
            while not ended.done():
                await load(client, calls=50)
            code, output = await ended
            assert code == 0
            assert output.count("BatchService/ListBatches") > 50
            await load(client, calls=50)


async def load(client: AsyncClient, *, calls: int) -> None:
    """Reads, eight at once."""
    numbers = iter(range(calls))

    async def one_after_the_other() -> None:
        for _ in numbers:
            assert len([batch async for batch in client.list_batches()]) >= 0

    await asyncio.gather(*(one_after_the_other() for _ in range(8)))


async def test_json_for_callers_without_grpc(
    gateways: list[GatewayProcess], tmp_path: Path
) -> None:
    with envoy(tmp_path, [one.address for one in gateways]) as ports:
        url = f"http://127.0.0.1:{ports[50080]}/batchgate.v1"
        async with httpx.AsyncClient(verify=tls()) as http:

            async def answers() -> bool:
                answer = await http.post(f"{url}.ProviderService/ListProviders", json={})
                return answer.status_code == 200

            await eventually(answers)
            listed = await http.post(f"{url}.BatchService/ListBatches", json={"provider": "azure"})
            assert (listed.status_code, listed.json()) == (200, {})
            missing = await http.post(f"{url}.FileService/GetFile", json={"file_id": "file-none"})
            assert missing.status_code == 404
            assert missing.headers["grpc-status"] == "5"
            assert "file-none" in missing.headers["grpc-message"]
