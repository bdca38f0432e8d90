"""Uploads whose caller goes away: in whatever way and moment, the provider never has the file.

The chunks carry neither size nor sha256, and are often all there: only the caller's own end of the
stream makes them a file.
"""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import file_service_pb2 as pb
from batchgate.v1 import file_service_pb2_grpc
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles, upload_messages
from tests.http2 import NO_ERROR, RawCall, grpc_message
from tests.waiting import all_file_ids, eventually, no_task_but, tasks, uploads_over

METHOD = "/batchgate.v1.FileService/UploadFile"
CONTENT = b'{"custom_id":"1"}\n' * 100
MESSAGES = [
    message.SerializeToString()
    for message in upload_messages(CONTENT, chunk=600, filename="a.jsonl", purpose="batch")
]
WHOLE = b"".join(grpc_message(message) for message in MESSAGES)


@pytest.fixture
async def tcp_gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    return await open_gateway(
        {
            "listen": "127.0.0.1:0",
            "providers": profiles(account),
            "default_provider": "openai",
        }
    )


@pytest.fixture(autouse=True)
def no_defect_shows() -> Iterator[None]:
    """A caller that goes away is no error of the gateway's."""
    with capture_logs() as entries:
        yield
    assert [one for one in entries if one["log_level"] in {"warning", "error"}] == []


async def never_created(account: Account, before: set[asyncio.Task[Any]]) -> None:
    await no_task_but(before)
    for request in await uploads_over(account):
        assert not request["body_complete"]
    assert await all_file_ids(account) == []


async def cancel(call: RawCall) -> None:
    await call.send(call.reset_stream())


async def cancel_without_error(call: RawCall) -> None:
    await call.send(call.reset_stream(NO_ERROR))


async def say_goodbye(call: RawCall) -> None:
    await call.send(call.go_away())
    call.hang_up()


async def hang_up(call: RawCall) -> None:
    call.hang_up()


async def break_off(call: RawCall) -> None:
    call.break_off()


ENDS = (cancel, cancel_without_error, say_goodbye, hang_up, break_off)
End = Callable[[RawCall], Awaitable[None]]


@pytest.mark.parametrize("end", ENDS)
async def test_a_call_broken_after_its_last_chunk_creates_nothing(
    tcp_gateway: Gateway, account: Account, end: End
) -> None:
    """All chunks are there; cancel, reset and hang-up must not pass for the end of the stream."""
    before = tasks()

    async def upload(number: int) -> None:
        async with await RawCall.open(tcp_gateway.address, METHOD) as call:
            await call.send_data(WHOLE)
            if number % 2:
                # So that the gateway waits for the next message, or is about to.
                await eventually(account.requests)
                await asyncio.sleep(random.random() / 50)  # noqa: S311 - any moment will do
            await end(call)

    await asyncio.gather(*(upload(number) for number in range(20)))
    await never_created(account, before)


@pytest.mark.parametrize("end", ENDS)
async def test_a_call_broken_at_any_byte_creates_nothing(
    tcp_gateway: Gateway, account: Account, end: End
) -> None:
    """Broken off anywhere: between messages, in one, in a frame."""
    before = tasks()
    frames = RawCall.data_frames(WHOLE)

    async def upload(place: int) -> None:
        async with await RawCall.open(tcp_gateway.address, METHOD) as call:
            await call.send(frames[:place])
            await end(call)

    places = [*range(0, len(frames), 97), len(frames) - 1]
    await asyncio.gather(*(upload(place) for place in places))
    await never_created(account, before)


async def test_the_same_call_ended_properly_creates_the_file(
    tcp_gateway: Gateway, account: Account
) -> None:
    async with await RawCall.open(tcp_gateway.address, METHOD) as call:
        await call.send_data(WHOLE, end=True)
        assert b"grpc-status\x010" in await call.read_all()
    assert len(await account.file_ids()) == 1


async def test_a_size_uncovers_a_stream_that_ends_inside_of_a_message(
    tcp_gateway: Gateway, account: Account
) -> None:
    """The core of gRPC drops a message that END_STREAM cuts in two without a word; `size_bytes` tells."""
    begin = pb.UploadFileRequest(
        metadata=pb.UploadFileMetadata(
            filename="a.jsonl",
            purpose="batch",
            size_bytes=len(CONTENT),
            jsonl_check=pb.JSONL_CHECK_OFF,
        )
    )
    body = grpc_message(begin.SerializeToString()) + b"".join(map(grpc_message, MESSAGES[1:]))
    async with await RawCall.open(tcp_gateway.address, METHOD) as call:
        await call.send_data(body[:-1], end=True)
        assert b"size differs" in await call.read_all()
    assert await account.file_ids() == []


async def cancel_call(call: Any, channel: grpc.aio.Channel) -> None:
    call.cancel()


async def close_channel(call: Any, channel: grpc.aio.Channel) -> None:
    await channel.close()


async def stay(call: Any, channel: grpc.aio.Channel) -> None:
    """Lets the deadline pass."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


Leave = Callable[[Any, grpc.aio.Channel], Awaitable[None]]


async def leave_after(
    chunks: list[pb.UploadFileRequest],
    *,
    address: str,
    leave: Leave,
    timeout_seconds: float | None,
    pause_seconds: float,
) -> None:
    """Writes messages as gRPC's own client does, and leaves without an end."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        call = file_service_pb2_grpc.FileServiceStub(channel).UploadFile(timeout=timeout_seconds)
        try:
            for message in chunks:
                await call.write(message)
            await asyncio.sleep(pause_seconds)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # Ways in which a write tells that the deadline was faster.
            assert timeout_seconds
        else:
            await leave(call, channel)


@pytest.mark.parametrize(
    ("leave", "deadline"), [(cancel_call, False), (close_channel, False), (stay, True)]
)
async def test_a_caller_that_leaves_at_any_moment_creates_nothing(
    tcp_gateway: Gateway, account: Account, leave: Leave, deadline: bool
) -> None:
    """Cancel, closed channel and deadline by gRPC's own client, most right after the last chunk."""
    before = tasks()
    random_of_this_test = random.Random(4)  # noqa: S311 - reproducible
    messages = list(upload_messages(CONTENT, chunk=600, filename="a.jsonl", purpose="batch"))
    at_once = asyncio.Semaphore(10)

    async def one() -> None:
        count = len(messages) - random_of_this_test.choice((0, 0, 0, 1, 2))
        moment = random_of_this_test.choice((0, 0, random_of_this_test.random() / 30))
        async with at_once:
            await leave_after(
                messages[:count],
                address=tcp_gateway.address,
                leave=leave,
                timeout_seconds=0.02 + random_of_this_test.random() / 10 if deadline else None,
                pause_seconds=0 if deadline else moment,
            )

    await asyncio.gather(*(one() for _ in range(100)))
    await never_created(account, before)


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("leave", [cancel_call, close_channel, stay])
async def test_a_caller_that_leaves_in_the_middle_leaves_nothing_behind(
    tcp_gateway: Gateway, account: Account, provider: str, leave: Leave
) -> None:
    """Cancel, closed channel, deadline: the provider has no file then, and the gateway no task."""
    before = tasks()
    messages = upload_messages(
        bytes(2_000_000),
        filename="a.jsonl",
        purpose="batch",
        provider=provider,
        size_bytes=3_000_000,
    )

    async def leave_in_the_middle(call: Any, channel: grpc.aio.Channel) -> None:
        async def arrived() -> bool:
            return any(one["received_bytes"] > 1_000_000 for one in await account.requests())

        await eventually(arrived)
        await leave(call, channel)

    await leave_after(
        list(messages),
        address=tcp_gateway.address,
        leave=leave_in_the_middle,
        timeout_seconds=1.0 if leave is stay else None,
        pause_seconds=0,
    )
    await never_created(account, before)


CHILD = """
import asyncio, sys, grpc
from batchgate.v1 import file_service_pb2_grpc
from tests.conftest import upload_messages

async def main():
    messages = list(upload_messages(b"x" * 60_000, chunk=6000, filename="a.jsonl", purpose="batch"))
    async with grpc.aio.insecure_channel(sys.argv[1]) as channel:
        async def upload():
            call = file_service_pb2_grpc.FileServiceStub(channel).UploadFile()
            for message in messages:
                await call.write(message)
                print(flush=True)
            await asyncio.Event().wait()
        await asyncio.gather(*(upload() for _ in range(20)))

asyncio.run(main())
"""
LINES_OF_A_CHILD = 20 * 11


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 30, 150, *[LINES_OF_A_CHILD] * 3])
async def test_a_killed_caller_creates_nothing(
    tcp_gateway: Gateway, account: Account, lines: int
) -> None:
    """Twenty uploads at once in a process that gets SIGKILL, with all chunks written or not."""
    before = tasks()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, tcp_gateway.address, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout
    for _ in range(lines):
        assert await child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    await child.communicate()
    await never_created(account, before)


@pytest.mark.slow
async def test_hundreds_of_broken_uploads_among_whole_ones(
    tcp_gateway: Gateway, account: Account
) -> None:
    """Whole uploads run among broken ones, and only theirs are the files in the end."""
    before = tasks()
    random_of_this_test = random.Random(7)  # noqa: S311 - reproducible
    at_once = asyncio.Semaphore(40)

    async def broken(end: End) -> None:
        async with at_once, await RawCall.open(tcp_gateway.address, METHOD) as call:
            await call.send_data(WHOLE)
            await asyncio.sleep(random_of_this_test.choice((0, 0.001, 0.01, 0.03)))
            await end(call)

    async def whole() -> str:
        async with at_once:
            return (await tcp_gateway.upload(CONTENT, chunk=600)).file.id

    breaking = asyncio.gather(*(broken(end) for end in ENDS for _ in range(150)))
    kept = await asyncio.gather(*(whole() for _ in range(50)))
    await breaking
    await no_task_but(before)
    requests = await uploads_over(account)
    assert sum(one["body_complete"] for one in requests) == len(kept)
    assert sorted(await account.file_ids()) == sorted(kept)


async def test_a_caller_that_cancels_after_the_end_finds_all_or_nothing(
    gateway: Gateway, account: Account
) -> None:
    """The stream was ended: the file may be there, but then it is whole."""
    before = tasks()

    async def one(number: int) -> None:
        call = gateway.files.UploadFile(
            upload_messages(CONTENT, chunk=600, filename="a.jsonl", purpose="batch")
        )
        await asyncio.sleep(number / 1000)
        call.cancel()

    await asyncio.gather(*(one(number) for number in range(40)))
    await no_task_but(before)
    await uploads_over(account)
    for file_id in await account.file_ids():
        assert await gateway.download(file_id) == CONTENT


async def test_a_half_written_iterator_that_raises_creates_nothing(
    gateway: Gateway, account: Account
) -> None:
    """The caller's own iterator fails in the middle: its client cancels the call."""
    before = tasks()

    async def messages() -> AsyncIterator[pb.UploadFileRequest]:
        for message in upload_messages(CONTENT, chunk=600, filename="a.jsonl", purpose="batch"):
            yield message
        await eventually(account.requests)
        raise OSError("the disk is gone")

    with pytest.raises((OSError, grpc.aio.AioRpcError, asyncio.CancelledError)):
        await gateway.files.UploadFile(messages())
    await never_created(account, before)
