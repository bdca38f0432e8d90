"""`--workers N`: processes that share an address, and who looks after them."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from batchgate.v1 import batch_service_pb2 as batches_pb
from batchgate.v1 import file_service_pb2 as pb
from tests.admin.scrape import Scrape
from tests.conftest import Account, upload_messages
from tests.process.conftest import GatewayProcess, Serve, Start
from tests.services.rows import batch_count
from tests.stubs import batch_stub, file_stub
from tests.waiting import arrived, eventually, uploads_over

LINE = (
    b'{"custom_id": "one", "method": "POST", "url": "/v1/chat/completions",'
    b' "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}}\n'
)
TWO = ("--workers", "2", "--log-format", "json")


def workers(gateway: GatewayProcess) -> list[int]:
    """The ids of the worker processes."""
    return [child.pid for child in psutil.Process(gateway.process.pid).children()]


def lines(output: str) -> list[dict[str, Any]]:
    """The log."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@asynccontextmanager
async def channels(gateway: GatewayProcess, count: int) -> AsyncIterator[list[grpc.aio.Channel]]:
    """Connections of their own."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 100)]
    made = [grpc.aio.insecure_channel(gateway.address, options=options) for _ in range(count)]
    try:
        yield made
    finally:
        await asyncio.gather(*(channel.close() for channel in made))


@asynccontextmanager
async def callers(gateway: GatewayProcess, count: int) -> AsyncIterator[list[Any]]:
    """Stubs, each with a connection of its own."""
    async with channels(gateway, count) as there:
        yield [file_stub(channel) for channel in there]


async def held_upload(stub: Any, account: Account, *, count: int) -> Any:
    """An upload in the middle, the `count`th one."""
    call = stub.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="batch"):
        await call.write(message)

    async def there() -> bool:
        uploads = [one for one in await account.requests() if one["method"] == "POST"]
        return len(uploads) == count

    await eventually(there)
    return call


async def finished(upload: Any) -> int:
    await upload.write(pb.UploadFileRequest(chunk=b"the end"))
    await upload.done_writing()
    size: int = (await upload).file.size_bytes
    return size


async def test_all_serve_one_port_and_end_together(
    start: Start, account: Account, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.jsonl"
    gateway = await start(*TWO, listen="127.0.0.1:0", BATCHGATE_AUDIT__FILE=str(audit))
    assert len(workers(gateway)) == 2
    async with callers(gateway, 12) as stubs:
        await asyncio.gather(*(stub.ListFiles(pb.ListFilesRequest()) for stub in stubs))
        upload = await held_upload(stubs[0], account, count=1)
        gateway.signal(signal.SIGHUP)

        def reloaded() -> bool:
            return audit.read_text().count('"reload"') == 2

        await eventually(reloaded)
        gateway.signal(signal.SIGTERM)
        ends = asyncio.create_task(gateway.end())
        assert await finished(upload) == 5007
    code, output = await ends
    assert code == 0
    log = lines(output)
    assert {line["worker"] for line in log if line["event"] == "rpc"} == {1, 2}
    assert "Traceback" not in output
    records = [json.loads(line) for line in audit.read_text().splitlines()]
    for event in ("start", "stop"):
        assert {one["worker"] for one in records if one["event"] == event} == {1, 2}
    addresses = {one["address"] for one in records if one["event"] == "start"}
    assert addresses == {gateway.address}
    assert len(await account.file_ids()) == 1


async def test_a_killed_worker_takes_down_its_own_calls_alone_and_comes_back(
    start: Start, account: Account
) -> None:
    gateway = await start(*TWO, listen="127.0.0.1:0")
    async with callers(gateway, 12) as stubs:
        uploads = [
            await held_upload(stub, account, count=number)
            for number, stub in enumerate(stubs, start=1)
        ]
        victim, survivor = workers(gateway)
        os.kill(victim, signal.SIGKILL)

        def restarted() -> bool:
            now = workers(gateway)
            return len(now) == 2 and victim not in now

        await eventually(restarted)
        assert survivor in workers(gateway)
        # All go on, on either process, by connecting again where that is needed.
        calls = (stub.ListFiles(pb.ListFilesRequest(), wait_for_ready=True) for stub in stubs)
        await asyncio.wait_for(asyncio.gather(*calls), 10)
        # Both had some of them: 12 connections on one of 2 processes are one case in 2048.
        lost = [upload for upload in uploads if upload.done()]
        assert 0 < len(lost) < len(uploads)
        assert {await upload.code() for upload in lost} == {grpc.StatusCode.UNAVAILABLE}
        for upload in set(uploads) - set(lost):
            assert await finished(upload) == 5007
    await uploads_over(account)
    assert len(await account.file_ids()) == len(uploads) - len(lost)
    gateway.signal(signal.SIGINT)
    code, output = await gateway.end()
    assert code == 0
    (told,) = [line for line in lines(output) if "started again" in line["event"]]
    assert told["problem"] == f"exit code {-signal.SIGKILL}"


async def test_a_second_signal_ends_all_at_once(start: Start, account: Account) -> None:
    gateway = await start(*TWO, listen="127.0.0.1:0")
    async with callers(gateway, 1) as stubs:
        upload = await held_upload(stubs[0], account, count=1)
        pids = workers(gateway)
        gateway.signal(signal.SIGTERM)
        await eventually(lambda: len(workers(gateway)) < 2)
        gateway.signal(signal.SIGTERM)
        code, _ = await asyncio.wait_for(gateway.end(), 10)
        assert code == -signal.SIGTERM
        assert not any(psutil.pid_exists(pid) for pid in pids)
        with pytest.raises(grpc.aio.AioRpcError):
            await upload
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_without_a_supervisor_workers_drain(start: Start, account: Account) -> None:
    gateway = await start(*TWO, listen="127.0.0.1:0")
    pids = workers(gateway)
    async with callers(gateway, 1) as stubs:
        upload = await held_upload(stubs[0], account, count=1)
        gateway.signal(signal.SIGKILL)
        await eventually(lambda: sum(map(psutil.pid_exists, pids)) == 1)
        assert await finished(upload) == 5007
        await eventually(lambda: not any(map(psutil.pid_exists, pids)))


async def refused(serve: Serve, *options: str, **variables: str) -> tuple[int | None, str]:
    process = await serve(*TWO, *options, **variables)
    output, errors = await process.communicate()
    assert output == b""
    assert "Traceback" not in errors.decode()
    return process.returncode, errors.decode()


async def test_an_address_in_use_is_told_in_one_line(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        code, said = await refused(serve, "--listen", f"127.0.0.1:{port}")
    assert code == 2
    (line,) = said.strip().splitlines()
    assert line.startswith(f"batchgate: cannot listen on 127.0.0.1:{port}: Address already in use")


async def test_workers_do_not_share_a_unix_socket(serve: Serve, tmp_path: Path) -> None:
    code, said = await refused(serve, "--listen", f"unix:{tmp_path}/own.sock")
    assert code == 2
    assert "  --workers: workers cannot share a unix socket" in said


async def test_what_no_worker_can_do_is_told_as_by_one_process(
    serve: Serve, tmp_path: Path
) -> None:
    listen = ("--listen", "127.0.0.1:0")
    code, said = await refused(serve, *listen, BATCHGATE_AUDIT__FILE=f"{tmp_path}/no/where")
    assert code == 2
    assert "audit.file: the file cannot be opened" in said


@asynccontextmanager
async def admin(gateway: GatewayProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the admin listener, whose address stands in the log."""
    assert gateway.process.stderr
    while True:
        line = json.loads(await gateway.process.stderr.readline())
        if line["event"] == "admin listener":
            break
    async with httpx.AsyncClient(base_url=f"http://{line['address']}") as client:
        yield client


async def scraped(client: httpx.AsyncClient) -> Scrape:
    return Scrape((await client.get("/metrics")).text)


@pytest.mark.slow
async def test_the_admin_listener_tells_of_all_workers(start: Start, account: Account) -> None:
    gateway = await start(*TWO, "--admin", "127.0.0.1:0", listen="127.0.0.1:0")
    async with admin(gateway) as client, callers(gateway, 12) as stubs:
        await asyncio.gather(*(stub.ListFiles(pb.ListFilesRequest()) for stub in stubs))
        upload = await held_upload(stubs[0], account, count=1)
        metrics = await scraped(client)
        samples = metrics.samples("batchgate_rpcs_total", grpc_code="OK")
        counts = {labels["worker"]: value for labels, value in samples}
        # Both had some of them, and together all.
        assert counts.keys() == {"1", "2"}
        assert sum(counts.values()) == 12
        assert metrics.value("batchgate_worker_up") == 2
        assert len(list(metrics.samples("process_cpu_seconds_total"))) == 2
        page = (await client.get("/")).text
        assert "2 of 2 workers" in page
        assert "UploadFile" in page
        # One that is started again counts from zero, and nothing of the other is lost.
        ((labels, size),) = metrics.samples("batchgate_received_bytes_total")
        assert size == 5000
        victim = labels["worker"]
        os.kill(workers(gateway)[int(victim) - 1], signal.SIGKILL)

        async def restarted() -> bool:
            metrics = await scraped(client)
            starts = metrics.value("batchgate_worker_starts_total", worker=victim)
            return starts == 2 and metrics.value("batchgate_worker_up") == 2

        await eventually(restarted)
        with pytest.raises(grpc.aio.AioRpcError):
            await upload
        metrics = await scraped(client)
        ((labels, kept),) = metrics.samples("batchgate_rpcs_total", rpc_method="ListFiles")
        assert labels["worker"] != victim
        assert kept == counts[labels["worker"]]
        assert not list(metrics.samples("batchgate_received_bytes_total"))


async def test_the_admin_listener_is_there_while_workers_drain(
    start: Start, account: Account
) -> None:
    gateway = await start(*TWO, "--admin", "127.0.0.1:0", listen="127.0.0.1:0")
    async with admin(gateway) as client, callers(gateway, 1) as stubs:
        assert (await client.get("/readyz")).status_code == 200
        upload = await held_upload(stubs[0], account, count=1)
        gateway.signal(signal.SIGTERM)

        async def draining() -> bool:
            return (await client.get("/readyz")).status_code == 503

        await eventually(draining)
        assert (await client.get("/livez")).status_code == 200
        # The one without a call may be gone by now.
        assert (await scraped(client)).value("batchgate_draining") >= 1
        assert await finished(upload) == 5007
    code, _ = await gateway.end()
    assert code == 0


async def test_without_an_admin_address_that_is_free_no_worker_starts(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        options = ("--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{port}")
        code, said = await refused(serve, *options)
    assert code == 2
    assert "  --admin: cannot be listened on: Address already in use" in said


async def test_workers_share_a_creation_under_one_request_id(
    start: Start, account: Account
) -> None:
    """The caller goes away, and what it repeats reaches another worker before the batch exists."""
    gateway = await start(*TWO, listen="127.0.0.1:0")
    fault = {"kind": "delay", "method": "POST", "path": "*/batches", "delay": 1.0}
    await account.fault(**fault)
    async with channels(gateway, 12) as there:
        messages = upload_messages(LINE, filename="a.jsonl", purpose="batch")
        file = (await file_stub(there[0]).UploadFile(messages)).file
        request = batches_pb.CreateBatchRequest(
            input_file_id=file.id, endpoint="/v1/chat/completions", request_id="one"
        )
        first = batch_stub(there[0]).CreateBatch(request)
        await arrived(account, "POST", "/batches")
        first.cancel()
        answers = await asyncio.gather(
            *(batch_stub(channel).CreateBatch(request) for channel in there)
        )
    assert len({answer.batch.id for answer in answers}) == 1
    assert await batch_count(account) == 1
