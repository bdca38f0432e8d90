"""Shutting down: nothing begins any more, what runs may end, and what takes too long is told why."""

import asyncio
from contextlib import suppress
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2
from batchgate.v1 import file_service_pb2 as pb
from batchgate_server.interceptors import draining as draining_module
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually, uploads_over

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICES = (
    "batchgate.v1.FileService",
    "batchgate.v1.BatchService",
    "batchgate.v1.ProviderService",
)


async def ended(call: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)


async def begun_upload(gateway: Gateway, account: Account) -> Any:
    """An upload in the middle: the provider has its first bytes."""
    call = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="batch"):
        await call.write(message)

    async def arrived() -> bool:
        return any(one["received_bytes"] > 5000 for one in await account.requests())

    await eventually(arrived)
    return call


async def draining(gateway: Gateway, grace_seconds: float) -> asyncio.Task[None]:
    """A stop that has begun."""
    stopping = asyncio.create_task(gateway.application.stop(grace_seconds))
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)

    async def told() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest())
        return bool(answer.status == NOT_SERVING)

    await eventually(told)
    return stopping


async def test_running_calls_finish_and_new_ones_are_refused(
    gateway: Gateway, account: Account
) -> None:
    upload = await begun_upload(gateway, account)
    await account.fault(kind="delay", delay=0.4, method="GET")
    unary = asyncio.ensure_future(gateway.files.ListFiles(pb.ListFilesRequest()))

    async def both_there() -> bool:
        return len(await account.requests()) == 2

    await eventually(both_there)
    stopping = await draining(gateway, 20)

    refused = await ended(gateway.files.ListFiles(pb.ListFilesRequest()))
    assert (refused.code, refused.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
    assert refused.retry_seconds
    refused = await ended(
        gateway.files.UploadFile(upload_messages(b"x", filename="b.jsonl", purpose="batch"))
    )
    assert refused.reason == "SERVER_DRAINING"
    assert refused.trailing["x-request-id"]

    await upload.write(pb.UploadFileRequest(chunk=b"the end"))
    await upload.done_writing()
    assert (await upload).file.size_bytes == 5007
    await unary
    await asyncio.wait_for(stopping, 10)
    assert len(await account.file_ids()) == 1


async def test_calls_over_the_grace_are_cut_off_and_told_why(
    gateway: Gateway, account: Account
) -> None:
    upload = await begun_upload(gateway, account)
    await account.fault(kind="hang", method="GET")
    unary = asyncio.ensure_future(gateway.files.ListFiles(pb.ListFilesRequest()))
    await account.fault(kind="hang", method="GET")
    download = gateway.files.DownloadFile(pb.DownloadFileRequest(file_id="file-1"))
    reading = asyncio.ensure_future(download.read())

    async def all_there() -> bool:
        return len(await account.requests()) == 3

    await eventually(all_there)
    await asyncio.wait_for(gateway.application.stop(0.1), 10)
    for call in (upload, unary, reading):
        failure = await ended(call)
        assert (failure.code, failure.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
        assert failure.retry_seconds
    await uploads_over(account)
    assert await account.file_ids() == [], "what was cut off is no file"


@pytest.mark.parametrize("request_id", ["", "r1"])
async def test_a_creation_that_is_cut_off_has_an_unknown_outcome(
    gateway: Gateway, account: Account, request_id: str
) -> None:
    """UNAVAILABLE would be repeated by clients, at once and with another gateway."""
    file = (await gateway.upload(b"{}\n")).file
    await account.fault(kind="hang", method="POST", path="*/batches", process=True)
    request = batch_service_pb2.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/embeddings", request_id=request_id
    )
    calls = [asyncio.ensure_future(gateway.batches.CreateBatch(request))]
    await arrived(account, "POST", "/batches")
    if request_id:
        # This one waits for the other's creation.
        calls.append(asyncio.ensure_future(gateway.batches.CreateBatch(request)))
        await eventually(lambda: len(gateway.application._draining._running) == 2)
    await asyncio.wait_for(gateway.application.stop(0.1), 20)
    for call in calls:
        failure = await ended(call)
        assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
        assert failure.metadata["provider"] == "openai"


async def test_an_upload_that_was_sent_whole_has_an_unknown_outcome(
    gateway: Gateway, account: Account
) -> None:
    await account.fault(kind="hang", method="POST", path="*/files", process=True)
    upload = asyncio.ensure_future(gateway.upload(b"x" * 1000))
    await eventually(account.file_ids)
    await asyncio.wait_for(gateway.application.stop(0.1), 10)
    failure = await ended(upload)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")


async def test_rows_that_are_cut_off_while_the_batch_is_created(
    gateway: Gateway, account: Account
) -> None:
    await account.fault(kind="delay", delay=0.5, method="POST", path="*/batches")
    body = '{"model": "m", "input": "x"}'
    rows = [batch_service_pb2.BatchLine(custom_id="a", body_json=body)]
    messages = [
        batch_service_pb2.SubmitBatchRequest(
            metadata=batch_service_pb2.SubmitBatchMetadata(endpoint="/v1/embeddings")
        ),
        batch_service_pb2.SubmitBatchRequest(lines=batch_service_pb2.BatchLines(lines=rows)),
    ]
    call = asyncio.ensure_future(gateway.batches.SubmitBatch(iter(messages)))
    await arrived(account, "POST", "/batches")
    await asyncio.wait_for(gateway.application.stop(0.1), 10)
    failure = await ended(call)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")


class Stubborn(httpx.AsyncBaseTransport):
    """Does not end when it is told to."""

    def __init__(self) -> None:
        self.asked = False
        self.released = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked = True
        while not self.released.is_set():
            with suppress(asyncio.CancelledError):
                await self.released.wait()
        return httpx.Response(500)


async def test_a_call_that_does_not_end_is_not_waited_for(
    open_gateway: OpenGateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining_module, "LAST_SECONDS", 0.1)
    stubborn = Stubborn()
    gateway = await open_gateway(
        {"providers": {"openai": profiles(account)["openai"]}}, transport=lambda _: stubborn
    )
    call = asyncio.ensure_future(gateway.files.ListFiles(pb.ListFilesRequest()))
    await eventually(lambda: stubborn.asked)
    with capture_logs() as log:
        await asyncio.wait_for(gateway.application.stop(0.1), 10)
    (told,) = [line for line in log if line["log_level"] == "error"]
    assert told["methods"] == ["/batchgate.v1.FileService/ListFiles"]
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    stubborn.released.set()
    await eventually(lambda: not gateway.application._draining._running)


async def test_for_a_moment_all_is_served_while_health_says_otherwise(
    gateway: Gateway, account: Account
) -> None:
    """Balancers need a moment to see it."""
    batch = await running_batch(gateway, account)
    watch: Any = gateway.batches.WatchBatch(batch_service_pb2.WatchBatchRequest(batch_id=batch))
    assert await watch.read()
    stopping = asyncio.create_task(gateway.application.stop(20, delay_seconds=0.6))
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)

    async def told() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest())
        return bool(answer.status == NOT_SERVING)

    await eventually(told)
    await gateway.files.ListFiles(pb.ListFilesRequest())
    upload = await begun_upload(gateway, account)
    assert not watch.done()
    # Then watchers are told at once, and nothing new begins.
    ending = ended(watch.read())
    assert (await asyncio.wait_for(ending, 5)).reason == "SERVER_DRAINING"
    refused = await ended(gateway.files.ListFiles(pb.ListFilesRequest()))
    assert refused.reason == "SERVER_DRAINING"
    assert not stopping.done()
    await upload.done_writing()
    await upload
    await asyncio.wait_for(stopping, 10)


async def running_batch(gateway: Gateway, account: Account) -> str:
    """The id of a batch that stays as it is."""
    await account.settings(step_seconds=3600)
    file = (await gateway.upload(b"{}\n")).file
    request = batch_service_pb2.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/embeddings")
    batch_id: str = (await gateway.batches.CreateBatch(request)).batch.id
    return batch_id


async def test_stopping_with_nothing_to_do_does_not_wait(gateway: Gateway) -> None:
    await gateway.files.ListFiles(pb.ListFilesRequest())
    await asyncio.wait_for(gateway.application.stop(60), 5)


async def test_health_is_told_overall_and_per_service(gateway: Gateway, account: Account) -> None:
    stub: Any = health_pb2_grpc.HealthStub(gateway.channel)
    for service in ("", *SERVICES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="batchgate.v1.NoSuch"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    watching = stub.Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]))
    assert (await watching.read()).status == SERVING
    upload = await begun_upload(gateway, account)
    stopping = await draining(gateway, 20)
    assert (await watching.read()).status == NOT_SERVING
    for service in ("", *SERVICES):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == NOT_SERVING
    # A health watch does not hold up the end.
    await upload.done_writing()
    await upload
    await asyncio.wait_for(stopping, 10)


async def listed(gateway: Gateway) -> set[str]:
    make_stub: Any = reflection_pb2_grpc.ServerReflectionStub
    stub = make_stub(gateway.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    async for answer in stub.ServerReflectionInfo(iter([request])):
        return {one.name for one in answer.list_services_response.service}
    return set()


async def test_reflection_lists_the_services(gateway: Gateway) -> None:
    assert await listed(gateway) >= {*SERVICES, "grpc.health.v1.Health"}


async def test_reflection_can_be_turned_off(open_gateway: OpenGateway, account: Account) -> None:
    gateway = await open_gateway({"providers": profiles(account), "server": {"reflection": False}})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(gateway)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
