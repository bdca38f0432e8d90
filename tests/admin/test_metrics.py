"""Metrics tell what has happened, by labels of which there are few."""

import asyncio
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server.metrics import definitions as d
from batchgate_server.metrics.bounded import Bounded
from batchgate_server.metrics.operations import operation_of
from batchgate_server.metrics.seen_batches import SeenBatches
from batchgate_server.rest.models import RestBatch
from tests.admin.conftest import ADMIN, WATCH, OpenObserved
from tests.admin.scrape import ask, scrape
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway, upload_messages
from tests.services.calls import call, failed
from tests.services.lines import create, lines
from tests.waiting import arrived, eventually

FAILING = {"kind": "answer", "status": 500, "times": None, "body": {"error": {"message": "Oops"}}}


async def watched_to_its_end(gateway: Gateway, batch: Any) -> None:
    request = pb.WatchBatchRequest(provider=batch.provider, batch_id=batch.id)
    async for _ in gateway.batches.WatchBatch(request):
        pass


async def test_a_call_is_counted_by_how_it_ended(observed: Gateway) -> None:
    await call(observed, "ListFiles")
    await call(observed, "ListFiles", provider="azure")
    await failed(observed, "GetBatch")
    await failed(observed, "GetBatch", provider="unknown")
    metrics = await scrape(observed)
    rpcs = "batchgate_rpcs_total"
    assert metrics.value(rpcs, rpc_method="ListFiles", grpc_code="OK", provider="openai") == 1
    assert metrics.value(rpcs, rpc_method="ListFiles", grpc_code="OK", provider="azure") == 1
    missing = {"grpc_code": "NOT_FOUND", "reason": "PROVIDER_NOT_FOUND", "provider": "openai"}
    assert metrics.value(rpcs, rpc_method="GetBatch", **missing) == 1
    errors = "batchgate_errors_total"
    assert metrics.value(errors, reason="PROVIDER_NOT_FOUND") == 1
    assert metrics.value(errors, reason="OUTCOME_UNKNOWN") == 0
    assert metrics.value(errors) == 2
    # A name that a caller made up is no label.
    assert metrics.value(rpcs, reason="PROVIDER_UNKNOWN", provider="") == 1
    duration = "rpc_server_duration_seconds"
    ok = {
        "rpc_service": "batchgate.v1.FileService",
        "rpc_method": "ListFiles",
        "grpc_code": "OK",
    }
    assert metrics.value(f"{duration}_count", **ok) == 2
    assert metrics.value(f"{duration}_bucket", le="+Inf", **ok) == 2
    assert 0 < metrics.value(f"{duration}_sum", **ok) < 10
    assert not list(metrics.samples("batchgate_rpcs_running"))


async def test_callers_are_told_apart(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams({"admin": ADMIN}, blue={"max_uploads": 1}, red={"bytes_per_day": 1000})
    await call(teams["blue"], "ListFiles")
    assert (await failed(teams[""], "ListFiles")).reason == "CALLER_UNAUTHENTICATED"
    with pytest.raises(grpc.aio.AioRpcError):
        await teams["red"].upload(bytes(2000))
    metrics = await scrape(teams["blue"])
    assert metrics.value("batchgate_rpcs_total", caller="blue", grpc_code="OK") == 1
    assert metrics.value("batchgate_rpcs_total", caller="", grpc_code="UNAUTHENTICATED") == 1
    refused = {"limit": "bytes_per_day", "caller": "red"}
    assert metrics.value("batchgate_limit_refusals_total", **refused) == 1


async def test_bytes_and_lines(observed: Gateway) -> None:
    content = lines(7)
    batch = await create(observed, "openai", content)
    checked = await observed.upload(
        content, jsonl_check=file_service_pb2.JSONL_CHECK_STRICT, provider="azure"
    )
    await observed.download(checked.file.id, provider="azure", read_limit=100)
    rows = [pb.BatchLine(custom_id=str(n), body_json='{"model": "gpt-4o-mini"}') for n in range(3)]
    await observed.batches.SubmitBatch(
        iter(
            [
                pb.SubmitBatchRequest(
                    metadata=pb.SubmitBatchMetadata(endpoint="/v1/chat/completions")
                ),
                pb.SubmitBatchRequest(lines=pb.BatchLines(lines=rows)),
            ]
        )
    )
    request = pb.StreamBatchResultsRequest(batch_id=batch.id, wait_until_done=True)
    async for _ in observed.batches.StreamBatchResults(request):
        pass
    metrics = await scrape(observed)
    upload = {"rpc_method": "UploadFile"}
    received = "batchgate_received_bytes_total"
    assert metrics.value(received, provider="openai", **upload) == len(content)
    assert metrics.value(received, provider="azure", **upload) == len(content)
    assert metrics.value("batchgate_sent_bytes_total", rpc_method="DownloadFile") == 100
    # The first was not checked, so that nobody has looked for its lines.
    assert metrics.value("batchgate_received_lines_total", **upload) == 7
    assert metrics.value("batchgate_received_lines_total", rpc_method="SubmitBatch") == 3
    assert metrics.value("batchgate_sent_lines_total", rpc_method="StreamBatchResults") == 7


async def test_an_upload_counts_while_it_runs(observed: Gateway) -> None:
    upload = observed.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="batch"):
        await upload.write(message)

    async def counted() -> bool:
        metrics = await scrape(observed)
        return bool(list(metrics.samples("batchgate_received_bytes_total")))

    await eventually(counted)
    metrics = await scrape(observed)
    assert metrics.value("batchgate_received_bytes_total", provider="openai") == 5000
    assert metrics.value("batchgate_rpcs_running", rpc_method="UploadFile") == 1
    await upload.done_writing()
    await upload
    metrics = await scrape(observed)
    assert metrics.value("batchgate_received_bytes_total", provider="openai") == 5000


async def test_requests_to_providers(account: Account, open_observed: OpenObserved) -> None:
    gateway = await open_observed({"breaker_failures": 3, "breaker_after_seconds": 0})
    await account.fault(kind="answer", status=500, times=1, body={"error": {"message": "Oops"}})
    await call(gateway, "ListFiles")
    await account.fault(kind="reset", times=None)
    await failed(gateway, "ListBatches")
    metrics = await scrape(gateway)
    requests = "batchgate_upstream_requests_total"
    assert metrics.value(requests, operation="files.list", status="500", provider="openai") == 1
    assert metrics.value(requests, operation="files.list", status="200") == 1
    assert metrics.value(requests, operation="batches.list", status="PROVIDER_UNAVAILABLE") == 3
    took = "batchgate_upstream_request_duration_seconds_count"
    assert metrics.value(took, operation="files.list", provider="openai") == 2
    assert metrics.value("batchgate_upstream_retries_total", provider="openai") == 3
    assert metrics.value("batchgate_provider_breaker_open", provider="openai") == 1
    assert metrics.value("batchgate_provider_breaker_open", provider="azure") == 0
    assert metrics.value("batchgate_provider_healthy", provider="openai") == 0
    assert not list(metrics.samples("batchgate_provider_healthy", provider="azure"))


async def test_batches_that_are_watched(account: Account, observed: Gateway) -> None:
    await account.settings(step_seconds=60)
    batch = await create(observed, "openai")
    request = pb.WatchBatchRequest(batch_id=batch.id)
    watches = [observed.batches.WatchBatch(request) for _ in range(3)]
    for watch in watches:
        await watch.read()
    metrics = await scrape(observed)
    assert metrics.value("batchgate_watched_batches", provider="openai") == 1
    assert metrics.value("batchgate_watched_batches", provider="azure") == 0
    assert metrics.value("batchgate_watchers", provider="openai") == 3
    assert metrics.value("batchgate_polls_total", kind="get", result="ok") >= 1
    assert metrics.value("batchgate_batches", provider="openai") == 1
    for watch in watches:
        watch.cancel()

    async def none() -> bool:
        return (await scrape(observed)).value("batchgate_watchers", provider="openai") == 0

    await eventually(none)


async def test_looks_at_several_batches_count_as_lists(observed: Gateway, account: Account) -> None:
    await account.settings(step_seconds=60)
    batches = [await create(observed, "openai") for _ in range(3)]
    watches = [
        observed.batches.WatchBatch(pb.WatchBatchRequest(batch_id=one.id)) for one in batches
    ]
    await asyncio.gather(*(watch.read() for watch in watches))

    async def listed() -> bool:
        polls = (await scrape(observed)).samples("batchgate_polls_total", kind="list", result="ok")
        return any(polls)

    await eventually(listed)
    await account.fault(kind="answer", status=500, times=None, body={})

    async def went_wrong() -> bool:
        metrics = await scrape(observed)
        return any(metrics.samples("batchgate_polls_total", result="PROVIDER_UNAVAILABLE"))

    await eventually(went_wrong)
    for watch in watches:
        watch.cancel()


async def test_the_tokens_of_a_batch_count_once(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams({"admin": ADMIN, "watch": WATCH}, blue={}, red={})
    batch = await create(teams["blue"], "openai", lines(5))
    await watched_to_its_end(teams["red"], batch)
    ended = await call(teams["red"], "GetBatch", batch_id=batch.id)
    await call(teams["red"], "ListBatches")
    metrics = await scrape(teams["red"])
    usage = ended.batch.usage
    assert usage.input_tokens > 0
    # Whoever watches: it is the one's who made it.
    blue = {"provider": "openai", "caller": "blue", "model": "gpt-4o-mini"}
    assert metrics.value("batchgate_tokens_total", kind="input", **blue) == usage.input_tokens
    assert metrics.value("batchgate_tokens_total", kind="output", **blue) == usage.output_tokens
    assert metrics.value("batchgate_tokens_total") == usage.input_tokens + usage.output_tokens
    assert metrics.value("batchgate_batches", status="completed") == 1


async def test_refusals_of_limits_of_all(account: Account, open_observed: OpenObserved) -> None:
    gateway = await open_observed(limits={"max_uploads": 1})
    await account.settings(step_seconds=60)
    upload = gateway.files.UploadFile()
    await upload.write(next(upload_messages(b"", filename="a", purpose="batch")))

    async def refused() -> bool:
        try:
            await gateway.upload(b"x")
        except grpc.aio.AioRpcError as exc:
            return exc.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return False

    await eventually(refused)
    metrics = await scrape(gateway)
    assert metrics.value("batchgate_limit_refusals_total", limit="max_uploads", caller="") == 1
    upload.cancel()


async def test_refusals_for_want_of_connections(
    account: Account, open_observed: OpenObserved
) -> None:
    gateway = await open_observed({"max_connections": 1, "connect_timeout_seconds": 0.1})
    await account.fault(kind="hang", times=1)
    holding = asyncio.ensure_future(call(gateway, "GetFile"))
    await arrived(account, "GET", "/files/")
    assert (await failed(gateway, "ListFiles")).reason == "GATEWAY_OVERLOADED"
    metrics = await scrape(gateway)
    refused = {"limit": "max_connections", "caller": ""}
    assert metrics.value("batchgate_limit_refusals_total", **refused) == 1
    holding.cancel()


async def test_refusals_of_one_too_many(observed: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(observed.application._admission, "is_full", lambda: True)
        patched.setattr(observed.application._admission, "_is_too_much", lambda _: True)
        assert (await failed(observed, "ListFiles")).reason == "GATEWAY_OVERLOADED"
    metrics = await scrape(observed)
    assert metrics.value("batchgate_limit_refusals_total", limit="overload", caller="") == 1
    assert metrics.value("batchgate_rpcs_waiting") == 0


async def test_every_definition_is_scraped_and_nothing_else(observed: Gateway) -> None:
    names = (await scrape(observed)).names()
    own = {name for name in names if not name.startswith("process_")}
    of_workers = {d.WORKER_UP.name, d.WORKER_STARTS.name}
    assert own == {each.name for each in d.DEFINITIONS} - of_workers
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes"} <= names


async def test_a_scraper_may_ask_for_openmetrics(observed: Gateway) -> None:
    answer = await ask(observed, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_labels_have_few_values() -> None:
    bounded = Bounded(2)
    assert [bounded(value) for value in ("", "a", "b", "a", "c", "d", "b")] == [
        *("", "a", "b", "a", "other", "other", "b")
    ]


def test_made_up_models_are_few() -> None:
    seen = SeenBatches()
    for number in range(500):
        batch = RestBatch.model_validate(
            {
                "id": f"batch_{number}",
                "status": "completed",
                "model": f"model-{number}" if number else "m" * 1000,
                "usage": {"input_tokens": 1},
            }
        )
        seen.saw("openai", batch, caller=f"caller-{number}")
    assert sum(seen.tokens.values()) == 500
    assert len(seen.tokens) <= 101
    assert max(len(model) for _, model, _, _ in seen.tokens) < 100


def test_batches_that_were_not_seen_for_long_are_forgotten() -> None:
    seen = SeenBatches(most=2)
    for number in (1, 2, 1, 3):
        batch = RestBatch.model_validate({"id": f"batch_{number}", "status": "strange"})
        seen.saw("openai", batch, caller="")
    assert seen.by_status() == {("openai", "other"): 2}
    assert {batch_id for _, batch_id in seen._seen} == {"batch_1", "batch_3"}


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/files", "files.list"),
        ("POST", "/files", "files.create"),
        ("GET", "/files/file-1", "files.get"),
        ("DELETE", "/files/file-1", "files.delete"),
        ("GET", "/files/file-1/content", "files.content"),
        ("POST", "/batches", "batches.create"),
        ("POST", "/batches/batch_1/cancel", "batches.cancel"),
        ("GET", "/batches/batch_1/else", "other"),
        ("GET", "/models", "other"),
        ("PUT", "/files", "other"),
        ("GET", "/files/a/b/c", "other"),
    ],
)
def test_operations_have_no_ids(method: str, path: str, operation: str) -> None:
    assert operation_of(method, path) == operation
