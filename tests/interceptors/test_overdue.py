"""Calls without an end: deadlines of those that have none, and streams whose caller does nothing."""

import asyncio
from typing import Any

import grpc
import httpx
import pytest

from batchgate.v1 import batch_service_pb2 as batches
from batchgate.v1 import file_service_pb2 as files
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.http2 import END_HEADERS, END_STREAM, HEADERS, RawCall, frame, frames, grpc_message
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually, uploads_over

SHORT, LONG = 0.2, 60.0
# A file that does not fit into what gRPC holds for a caller that does not read.
LARGE = 24 * 1024 * 1024
DOWNLOAD = "/batchgate.v1.FileService/DownloadFile"
WINDOW_UPDATE, WIDE = 8, (2**30).to_bytes(4)


async def opened(open_gateway: OpenGateway, account: Account, **server: float) -> Gateway:
    return await open_gateway(
        {
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {
                "default_deadline_seconds": LONG,
                "default_creation_deadline_seconds": LONG,
                "stream_idle_seconds": LONG,
                **server,
            },
        }
    )


async def ended(call: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(call, 10)
    return failure_of(caught.value)


async def test_a_unary_call_without_a_deadline_gets_one(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, default_deadline_seconds=SHORT)
    await account.fault(kind="hang", method="GET", times=2)
    failure = await ended(gateway.files.ListFiles(files.ListFilesRequest()))
    assert (failure.code, failure.reason) == ("DEADLINE_EXCEEDED", "CALL_TIMEOUT")
    assert "0.2 s" in failure.message
    # A deadline of the caller's own counts, also a longer one.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.ListFiles(files.ListFilesRequest(), timeout=4 * SHORT)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "CALL_TIMEOUT" not in str(caught.value.trailing_metadata())
    # And nothing of it is left.
    await eventually(lambda: not gateway.application._draining._running)


async def test_no_request_is_repeated_past_it(open_gateway: OpenGateway, account: Account) -> None:
    openai = profiles(account)["openai"] | {"retries": 1, "retry_cap_seconds": 10.0}
    server = {"default_deadline_seconds": SHORT}
    gateway = await open_gateway({"providers": {"openai": openai}, "server": server})
    headers = {"retry-after": "2"}
    await account.fault(kind="answer", status=429, headers=headers, method="GET")
    failure = await ended(gateway.files.ListFiles(files.ListFilesRequest()))
    assert failure.reason == "PROVIDER_RATE_LIMITED"


class Slow(httpx.AsyncBaseTransport):
    """Takes a while to end when it is told to."""

    def __init__(self) -> None:
        self.told = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        end = asyncio.get_running_loop().time() + 3 * SHORT
        while (rest := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(rest)
            except asyncio.CancelledError:
                self.told += 1
        raise asyncio.CancelledError


async def test_a_call_is_told_once(open_gateway: OpenGateway, account: Account) -> None:
    """What it does to end well is not cut off in its turn."""
    slow = Slow()
    server = {"default_deadline_seconds": SHORT}
    gateway = await open_gateway(
        {"providers": {"openai": profiles(account)["openai"]}, "server": server},
        transport=lambda _: slow,
    )
    await ended(gateway.files.ListFiles(files.ListFilesRequest()))
    assert slow.told == 1


async def test_a_creation_has_more_time_and_an_unknown_outcome(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(
        open_gateway,
        account,
        default_deadline_seconds=SHORT / 4,
        default_creation_deadline_seconds=SHORT,
    )
    file = (await gateway.upload(b"{}\n")).file
    request = batches.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/embeddings")
    await account.fault(kind="delay", delay=SHORT / 2, method="POST", path="*/batches")
    assert (await gateway.batches.CreateBatch(request)).batch.id
    await account.fault(kind="hang", method="POST", path="*/batches", process=True)
    failure = await ended(gateway.batches.CreateBatch(request))
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert failure.metadata["provider"] == "openai"


async def test_waiting_and_streams_are_no_calls_that_take_too_long(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(
        open_gateway,
        account,
        default_deadline_seconds=SHORT / 4,
        default_creation_deadline_seconds=SHORT / 4,
    )
    await account.settings(step_seconds=LONG)
    file = (await gateway.upload(b"{}\n")).file
    waiting = batches.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/embeddings")
    batch_id = (await gateway.batches.CreateBatch(waiting)).batch.id
    upload = gateway.files.UploadFile()
    await upload.write(next(upload_messages(b"", filename="a", purpose="vision")))
    request = batches.WaitBatchRequest(batch_id=batch_id)
    request.timeout.FromMilliseconds(round(2 * SHORT * 1000))
    assert not (await gateway.batches.WaitBatch(request)).done
    await upload.write(files.UploadFileRequest(chunk=b"x"))
    await upload.done_writing()
    assert (await upload).file.size_bytes == 1


async def test_an_upload_whose_caller_sends_nothing_is_cut_off(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, stream_idle_seconds=SHORT)
    upload = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="batch"):
        await upload.write(message)
    await arrived(account, "POST", "/files")
    failure = await ended(upload)
    assert (failure.code, failure.reason) == ("DEADLINE_EXCEEDED", "CALLER_IDLE")
    assert "sent nothing" in failure.message
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_rows_that_do_not_come_are_waited_for_no_longer(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, stream_idle_seconds=SHORT)
    call = gateway.batches.SubmitBatch()
    metadata = batches.SubmitBatchMetadata(endpoint="/v1/embeddings")
    await call.write(batches.SubmitBatchRequest(metadata=metadata))
    assert (await ended(call)).reason == "CALLER_IDLE"


async def test_a_provider_that_is_slow_is_not_the_callers_fault(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, stream_idle_seconds=SHORT)
    await account.fault(kind="delay", delay=3 * SHORT, method="POST")
    assert (await gateway.upload(b"{}\n")).file.id


async def test_a_download_that_nobody_reads_is_cut_off(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, stream_idle_seconds=SHORT)
    file = (await gateway.upload(bytes(LARGE), purpose="vision")).file
    download: Any = gateway.files.DownloadFile(files.DownloadFileRequest(file_id=file.id))
    assert (await download.read()).chunk

    async def given_up() -> bool:
        last = (await account.requests())[-1]
        return bool(last["path"].endswith("/content") and last["aborted"])

    # Nothing upstream is held for it, and no place among the calls.
    await eventually(given_up)
    await eventually(lambda: not gateway.application._draining._running)

    async def rest() -> None:
        while await download.read():
            pass

    assert (await ended(rest())).reason == "CALLER_IDLE"


async def test_who_takes_no_first_message_is_told_so_too(
    open_gateway: OpenGateway, account: Account
) -> None:
    """The message is larger than an HTTP/2 window, and no other is opened until the call is over."""
    gateway = await open_gateway(
        {
            "listen": "127.0.0.1:0",
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {"stream_idle_seconds": SHORT},
        }
    )
    file = (await gateway.upload(bytes(LARGE), purpose="vision")).file
    request = grpc_message(files.DownloadFileRequest(file_id=file.id).SerializeToString())
    draining = gateway.application._draining
    async with await RawCall.open(gateway.address, DOWNLOAD) as call:
        await call.send_data(request, end=True)
        await eventually(lambda: draining._running)
        await eventually(lambda: not draining._running)
        await call.send(frame(WINDOW_UPDATE, 0, 0, WIDE) + frame(WINDOW_UPDATE, 0, 1, WIDE))
        received = await asyncio.wait_for(call.read_all(), 10)
    assert len(received) < LARGE
    # It ends with trailers, where a status stands.
    assert frames(received)[-1] == (HEADERS, END_STREAM | END_HEADERS)


async def test_a_download_that_is_read_slowly_is_not(
    open_gateway: OpenGateway, account: Account
) -> None:
    idle = 3 * SHORT
    gateway = await opened(open_gateway, account, stream_idle_seconds=idle)
    file = (await gateway.upload(bytes(LARGE), purpose="vision")).file
    download = gateway.files.DownloadFile(files.DownloadFileRequest(file_id=file.id))
    received = 0
    began = asyncio.get_running_loop().time()
    async for piece in download:
        received += len(piece.chunk)
        # Twice as long as a caller may be idle, in all.
        await asyncio.sleep(2 * idle * len(piece.chunk) / LARGE)
    assert received == LARGE
    assert asyncio.get_running_loop().time() - began > 2 * idle


async def test_a_watch_where_nothing_happens_is_not(
    open_gateway: OpenGateway, account: Account
) -> None:
    """Its caller would read, and there is nothing to be read."""
    gateway = await opened(open_gateway, account, stream_idle_seconds=SHORT)
    await account.settings(step_seconds=LONG)
    file = (await gateway.upload(b"{}\n")).file
    request = batches.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/embeddings")
    batch_id = (await gateway.batches.CreateBatch(request)).batch.id
    watch: Any = gateway.batches.WatchBatch(batches.WatchBatchRequest(batch_id=batch_id))
    assert await watch.read()
    await asyncio.sleep(3 * SHORT)
    assert not watch.done()


async def test_a_watch_ends_before_its_connection_does(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await opened(open_gateway, account, connection_age_grace_seconds=SHORT)
    await account.settings(step_seconds=LONG)
    file = (await gateway.upload(b"{}\n")).file
    request = batches.CreateBatchRequest(input_file_id=file.id, endpoint="/v1/embeddings")
    batch_id = (await gateway.batches.CreateBatch(request)).batch.id
    watch: Any = gateway.batches.WatchBatch(batches.WatchBatchRequest(batch_id=batch_id))
    assert (await watch.read()).batch.id == batch_id
    failure = await ended(watch.read())
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "SERVER_DRAINING")
    assert failure.retry_seconds is not None
