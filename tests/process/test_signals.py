"""SIGTERM and SIGINT: what runs may end, nothing new begins, the exit code is 0."""

import asyncio
import signal
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchgate.v1 import file_service_pb2 as pb
from tests.conftest import Account, upload_messages
from tests.http2 import RawCall, grpc_message
from tests.process.conftest import GatewayProcess, Start
from tests.status import failure_of
from tests.waiting import eventually, uploads_over

SIGNALS = [signal.SIGTERM, signal.SIGINT]


async def begun_upload(gateway: GatewayProcess, account: Account) -> Any:
    call = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="batch"):
        await call.write(message)

    async def arrived() -> bool:
        return any(one["received_bytes"] > 5000 for one in await account.requests())

    await eventually(arrived)
    return call


async def refuses(gateway: GatewayProcess) -> None:
    """Waits until health says NOT_SERVING."""
    health: Any = health_pb2_grpc.HealthStub(gateway.channel)

    async def told() -> bool:
        answer = await health.Check(health_pb2.HealthCheckRequest())
        return bool(answer.status == health_pb2.HealthCheckResponse.NOT_SERVING)

    await eventually(told)


@pytest.mark.parametrize("number", SIGNALS)
async def test_an_upload_and_a_unary_call_end_within_the_grace(
    start: Start, account: Account, number: signal.Signals
) -> None:
    gateway = await start()
    upload = await begun_upload(gateway, account)
    await account.fault(kind="delay", delay=0.5, method="GET")
    unary = asyncio.ensure_future(gateway.files.ListFiles(pb.ListFilesRequest()))

    async def both() -> bool:
        return len(await account.requests()) == 2

    await eventually(both)
    gateway.signal(number)
    await refuses(gateway)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.ListFiles(pb.ListFilesRequest())
    assert failure_of(caught.value).reason == "SERVER_DRAINING"
    await upload.write(pb.UploadFileRequest(chunk=b"the end"))
    await upload.done_writing()
    assert (await upload).file.size_bytes == 5007
    await unary
    code, output = await gateway.end()
    assert code == 0
    assert "Traceback" not in output
    assert len(await account.file_ids()) == 1


async def test_what_takes_longer_than_the_grace_is_cut_off(start: Start, account: Account) -> None:
    gateway = await start(BATCHGATE_SERVER__SHUTDOWN_GRACE_SECONDS="0.2")
    upload = await begun_upload(gateway, account)
    gateway.signal(signal.SIGTERM)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await upload
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
    code, output = await gateway.end()
    assert code == 0
    assert "Traceback" not in output
    await uploads_over(account)
    assert await account.file_ids() == []


@pytest.mark.parametrize("number", SIGNALS)
async def test_an_idle_gateway_ends_at_once(start: Start, number: signal.Signals) -> None:
    gateway = await start()
    await gateway.files.ListFiles(pb.ListFilesRequest())
    gateway.signal(number)
    code, output = await asyncio.wait_for(gateway.end(), 10)
    assert code == 0
    assert "stopped" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_ends_it_without_grace(
    start: Start, account: Account, number: signal.Signals
) -> None:
    gateway = await start()
    upload = await begun_upload(gateway, account)
    gateway.signal(number)
    await refuses(gateway)
    gateway.signal(number)
    code, _ = await asyncio.wait_for(gateway.end(), 10)
    assert code != 0
    with pytest.raises(grpc.aio.AioRpcError):
        await upload
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_a_killed_gateway_leaves_no_file(start: Start, account: Account) -> None:
    gateway = await start()
    uploads = [await begun_upload(gateway, account) for _ in range(3)]
    gateway.signal(signal.SIGKILL)
    for upload in uploads:
        with pytest.raises(grpc.aio.AioRpcError):
            await upload
    await gateway.end()
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_broken_uploads_create_nothing_in_the_real_process(
    start: Start, account: Account
) -> None:
    """The event loop of production is another than that of the tests."""
    gateway = await start(listen="127.0.0.1:0")
    messages = upload_messages(b"x" * 1500, chunk=600, filename="a.jsonl", purpose="batch")
    whole = b"".join(grpc_message(one.SerializeToString()) for one in messages)

    async def broken(number: int) -> None:
        path = "/batchgate.v1.FileService/UploadFile"
        async with await RawCall.open(gateway.address, path) as call:
            await call.send_data(whole)
            await asyncio.sleep(number % 20 / 1000)
            if number % 3 == 0:
                call.hang_up()
            elif number % 3 == 1:
                call.break_off()
            else:
                await call.send(call.reset_stream())

    await asyncio.gather(*(broken(number) for number in range(120)))
    gateway.signal(signal.SIGTERM)
    code, output = await gateway.end()
    assert code == 0
    assert "Traceback" not in output
    assert "internal error" not in output
    await uploads_over(account)
    assert await account.file_ids() == []
