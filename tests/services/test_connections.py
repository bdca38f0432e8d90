"""Connections of callers: renewed with age, and given up where nobody is at the other end."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from batchgate.v1 import file_service_pb2 as pb
from batchgate_server import server_options
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.http2 import ACK, GOAWAY, RawCall, frame, frames, grpc_message
from tests.waiting import arrived, eventually, uploads_over

UPLOAD = "/batchgate.v1.FileService/UploadFile"
PING = 6

Opened = Callable[..., Awaitable[Gateway]]


@pytest.fixture
def opened(open_gateway: OpenGateway, account: Account) -> Opened:
    """A gateway on a port, with these settings of `server`."""

    async def run(audit: dict[str, str] | None = None, **server: float) -> Gateway:
        return await open_gateway(
            {
                "listen": "127.0.0.1:0",
                "providers": profiles(account),
                "default_provider": "openai",
                "server": server,
                "audit": audit or {},
            }
        )

    return run


async def received_until_closed(call: RawCall, *, answers_pings: bool = False) -> bytes:
    """All that the gateway sends on the connection of a call."""
    received, answered = b"", 0
    loop = asyncio.get_running_loop()
    try:
        # Less than what ends connections of those who speak HTTP/2 as badly as this one.
        while piece := await asyncio.wait_for(loop.sock_recv(call.sock, 65536), 5):
            received += piece
            asked = frames(received).count((PING, 0))
            if answers_pings and asked > answered:
                await call.send(_acknowledged(received) * (asked - answered))
                answered = asked
    except ConnectionError:
        pass
    return received


def _acknowledged(received: bytes) -> bytes:
    """The answer to the last ping."""
    head = struct.pack(">I", 8)[1:] + bytes([PING, 0, 0, 0, 0, 0])
    place = received.rindex(head) + 9
    return frame(PING, ACK, 0, received[place : place + 8])


async def begun(gateway: Gateway) -> RawCall:
    """An upload in the middle, of a caller that will never send more."""
    call = await RawCall.open(gateway.address, UPLOAD)
    messages = upload_messages(bytes(5000), filename="a.jsonl", purpose="batch")
    for message in messages:
        await call.send_data(grpc_message(message.SerializeToString()))
    return call


async def test_a_caller_that_has_vanished_is_noticed(opened: Opened, account: Account) -> None:
    """No FIN comes from a machine that lost its power; its upload must not wait for more."""
    gateway = await opened(keepalive_seconds=0.2, keepalive_timeout_seconds=0.2)
    async with await begun(gateway) as call:
        await arrived(account, "POST", "/files")
        received = await received_until_closed(call)
        assert (PING, 0) in frames(received)
    await uploads_over(account)
    assert await account.file_ids() == []
    await eventually(lambda: not gateway.application._draining._running)


async def test_a_caller_that_lives_and_is_silent_is_not(opened: Opened, account: Account) -> None:
    gateway = await opened(keepalive_seconds=0.1, keepalive_timeout_seconds=0.2)
    upload = gateway.files.UploadFile()
    messages = upload_messages(b"x" * 1000, filename="a", purpose="vision")
    await upload.write(next(messages))
    # For several rounds.
    await asyncio.sleep(0.8)
    for message in messages:
        await upload.write(message)
    await upload.done_writing()
    assert (await upload).file.size_bytes == 1000


async def test_who_asks_for_a_sign_of_life_often_keeps_the_connection(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By gRPC's own limit of one ping in five minutes the fourth would be too many."""
    monkeypatch.setattr(server_options, "SHORTEST_PING_SECONDS", 0.01)
    gateway = await opened()
    read = asyncio.get_running_loop().sock_recv
    async with await begun(gateway) as call:
        received = b""
        for answers in range(1, 7):
            await call.send(frame(PING, 0, 0, bytes(8)))
            while frames(received).count((PING, ACK)) < answers:
                piece = await asyncio.wait_for(read(call.sock, 65536), 10)
                assert piece, frames(received)
                received += piece
            await asyncio.sleep(0.02)
        assert GOAWAY not in dict(frames(received))


async def test_an_old_connection_takes_no_new_calls_and_no_call_fails(
    opened: Opened, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.jsonl"
    gateway = await opened(audit={"file": str(audit)}, connection_age_seconds=0.2)
    # Begun on the first connection, and finished long after its age.
    upload = gateway.files.UploadFile()
    messages = upload_messages(b"x" * 1000, filename="a", purpose="vision")
    await upload.write(next(messages))
    loop = asyncio.get_running_loop()
    end = loop.time() + 1.0
    while loop.time() < end:
        await gateway.upload(b"x", purpose="vision", validate_only=True)
    for message in messages:
        await upload.write(message)
    await upload.done_writing()
    assert (await upload).file.size_bytes == 1000
    records = [json.loads(line) for line in audit.read_text().splitlines()]
    peers = [record["peer"] for record in records if record["event"] == "call"]
    assert len(set(peers)) > 2
    # The one that had begun stayed where it was.
    assert peers[-1] == peers[0]


async def test_what_outlasts_the_grace_of_an_old_connection_is_cut_off(
    opened: Opened, account: Account
) -> None:
    gateway = await opened(connection_age_seconds=0.1, connection_age_grace_seconds=0.3)
    async with await begun(gateway) as call:
        await arrived(account, "POST", "/files")
        received = await received_until_closed(call, answers_pings=True)
        assert GOAWAY in dict(frames(received))
    await uploads_over(account)
    assert await account.file_ids() == []


async def test_a_connection_without_calls_is_closed(opened: Opened) -> None:
    gateway = await opened(idle_connection_seconds=1.0)
    await gateway.files.ListFiles(pb.ListFilesRequest())
    state = gateway.channel.get_state()
    assert state is grpc.ChannelConnectivity.READY
    await asyncio.wait_for(gateway.channel.wait_for_state_change(state), 10)
    # And opened again when it is needed.
    await gateway.files.ListFiles(pb.ListFilesRequest())
