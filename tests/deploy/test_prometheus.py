"""The dashboard and the alerts: each query has data in a scrape of a real gateway."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server.metrics.definitions import DEFINITIONS, Kind
from tests.callers.door import bearer, known
from tests.conftest import Account, upload_messages
from tests.deploy.prometheus import Prometheus, scraping
from tests.process.conftest import GatewayProcess, Start, serve, start
from tests.services.lines import lines
from tests.stubs import batch_stub, file_stub
from tests.tools import tool
from tests.waiting import eventually

__all__ = ["serve", "start"]

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "server" / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
CASES = Path(__file__).with_name("alerts_test.yml")
OPERATIONS = ROOT / "server" / "OPERATIONS.md"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
COMPARISON = re.compile(r"(.+) [<>] [\d.e]+", re.DOTALL)
OOPS = {"kind": "answer", "body": {"error": {"message": "Oops"}}}
CONFIGURATION = """
default_provider = "openai"
[server]
workers = 2
[watch]
first_poll_seconds = 0.1
slowest_poll_seconds = 0.1
[providers.openai]
kind = "openai"
base_url = "{url}/v1"
api_key = {{ env = "OPENAI_API_KEY" }}
retry_first_seconds = 0.01
[callers.blue]
token_sha256 = ["{digest}"]
bytes_per_day = 1000000
"""


def names_in(expression: str) -> set[str]:
    """The metrics of an expression."""
    without_labels = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", "", expression)
    return set(re.findall(r"\b(?:batchgate|rpc|process)_\w+\b|\bup\b", without_labels))


def names_there_are() -> Iterator[str]:
    for one in DEFINITIONS:
        yield from [f"{one.name}_bucket"] if one.kind is Kind.HISTOGRAM else [one.name]


# What is written


def test_promtool_finds_no_fault() -> None:
    subprocess.run([tool("promtool"), "check", "rules", ALERTS], check=True, capture_output=True)


def test_each_alert_fires_when_it_should_and_only_then() -> None:
    done = subprocess.run(
        [tool("promtool"), "test", "rules", CASES], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = [
        (one["alertname"], bool(one.get("exp_alerts")))
        for case in yaml.safe_load(CASES.read_text())["tests"]
        for one in case["alert_rule_test"]
    ]
    for rule in RULES:
        assert (rule["alert"], True) in cases
        assert (rule["alert"], False) in cases


def test_each_alert_says_what_to_do() -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), flags=re.MULTILINE)
    assert headings == [rule["alert"] for rule in RULES]


@pytest.mark.parametrize("expression", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_all_metrics_are_there(expression: str) -> None:
    known_names = {*names_there_are(), "up"}
    own = {name for name in names_in(expression) if not name.startswith("process_")}
    assert names_in(expression)
    assert own <= known_names


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    shown = set().union(*map(names_in, QUERIES))
    # These the alerts look at: a sum of reasons, and what should never lack anything.
    alone = {
        *("batchgate_errors_total", "batchgate_audit_records_missing"),
        *("batchgate_log_lines_dropped_total", "batchgate_observer_failures_total"),
    }
    assert set(names_there_are()) - shown == alone


def test_the_panels_have_places_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["description"] for panel in PANELS)


# What a gateway gives


async def fails(call: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await call


async def work(gateway: GatewayProcess, account: Account) -> list[Any]:
    """A bit of all that callers do; what still runs in the end."""
    metadata = (bearer("blue"),)
    await account.settings(step_seconds=0.01)
    files: Any = file_stub(gateway.channel)
    batches: Any = batch_stub(gateway.channel)
    messages = upload_messages(
        lines(8),
        purpose="batch",
        filename="a.jsonl",
        jsonl_check=file_service_pb2.JSONL_CHECK_STRICT,
    )
    file = (await files.UploadFile(messages, metadata=metadata)).file
    creation = pb.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/chat/completions")
    batch = (await batches.CreateBatch(creation, metadata=metadata)).batch
    results = pb.StreamBatchResultsRequest(batch_id=batch.id, wait_until_done=True)
    async for _ in batches.StreamBatchResults(results, metadata=metadata):
        pass
    await batches.GetBatch(pb.GetBatchRequest(batch_id=batch.id), metadata=metadata)
    download = file_service_pb2.DownloadFileRequest(file_id=file.id)
    async for _ in files.DownloadFile(download, metadata=metadata):
        pass
    # By path, since the first round's watch asks meanwhile, too.
    await account.fault(**OOPS, path="*/files", status=429, times=1)
    await files.ListFiles(file_service_pb2.ListFilesRequest(), metadata=metadata)
    # So often that it is not tried again.
    await account.fault(**OOPS, path="*/files", status=500, times=3)
    await fails(files.ListFiles(file_service_pb2.ListFilesRequest(), metadata=metadata))
    await fails(batches.GetBatch(pb.GetBatchRequest(batch_id="batch_none"), metadata=metadata))
    await fails(batches.GetBatch(pb.GetBatchRequest(batch_id="batch_none")))
    too_much = upload_messages(bytes(1_000_000), purpose="batch", filename="b")
    await fails(files.UploadFile(too_much, metadata=metadata))
    await account.settings(step_seconds=600)
    batch = (await batches.CreateBatch(creation, metadata=metadata)).batch
    watch = batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.id), metadata=metadata)
    await watch.read()
    await account.fault(**OOPS, path="*/batches*", status=500, times=2)
    seen = len(await account.requests())

    async def both_met() -> bool:
        later = (await account.requests())[seen:]
        return sum("/batches" in one["path"] for one in later) > 2

    # Or the next round's creation would.
    await eventually(both_met)
    return [watch]


def without_variables(query: str) -> str:
    """A query as Grafana would send it."""
    values = {"$job": "batchgate", "$provider": ".*", "$__rate_interval": "1m"}
    for name, value in values.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


async def has_data(
    prometheus: Prometheus, expression: str, *, timeout_seconds: float = 5.0
) -> None:
    async def look() -> bool:
        return bool(await prometheus.query(expression))

    try:
        await eventually(look, timeout_seconds=timeout_seconds)
    except AssertionError:
        pytest.fail(f"nothing for {expression}")


@pytest.mark.slow
async def test_each_query_has_data_in_a_scrape(
    start: Start, account: Account, tmp_path: Path
) -> None:
    program = tool("prometheus")
    digest = known("blue")["blue"]["token_sha256"][0]
    config = tmp_path / "batchgate.toml"
    config.write_text(CONFIGURATION.format(url=account.url, digest=digest))
    gateway = await start(
        *("--config", str(config), "--admin", "127.0.0.1:0", "--log-format", "json"),
        listen="127.0.0.1:0",
    )
    assert gateway.process.stderr
    address = ""
    while not address:
        line = json.loads(await gateway.process.stderr.readline())
        address = line["address"] if line["event"] == "admin listener" else ""
    # Prometheus sees a rise only where it has seen the series before.
    async with scraping(program, tmp_path, target=address, rules=ALERTS) as prometheus:
        # It takes some seconds before it begins.
        await has_data(prometheus, "batchgate_build_info", timeout_seconds=30)
        running = await work(gateway, account)
        await has_data(prometheus, "batchgate_watchers > 0")
        running += await work(gateway, account)
        for query in QUERIES:
            await has_data(prometheus, without_variables(query))
        for rule in RULES:
            compared = COMPARISON.fullmatch(rule["expr"])
            assert compared, rule["expr"]
            await has_data(prometheus, compared[1])

        async def evaluated() -> bool:
            rules = await prometheus.rules()
            return len(rules) == len(RULES) and {rule["health"] for rule in rules} == {"ok"}

        await eventually(evaluated)
        for stream in running:
            stream.cancel()
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"http://{address}/metrics")).text
        checked = await asyncio.create_subprocess_exec(
            *(tool("promtool"), "check", "metrics"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await checked.communicate(text.encode())
        assert (checked.returncode, said.decode()) == (0, "")
