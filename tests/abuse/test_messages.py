"""Requests that are no messages of the contract, too large or packed: each has its clear status."""

import asyncio
import zlib

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import file_service_pb2 as pb
from tests.abuse.connection import Connection
from tests.abuse.rpcs import RPCS, send
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.http2 import grpc_message
from tests.waiting import no_task_but, tasks

NO_MESSAGES = {
    "bytes": b"\xff\xff\xff",
    "cut off": b"\x12\x40file",
    "another wire type": b"\x0d\x01",
    "a group without end": b"\x0b\x0b\x0b",
    "nested too deep": b"\x0b" * 200 + b"\x0c" * 200,
}


@pytest.mark.parametrize("kind", NO_MESSAGES)
async def test_what_is_no_message_is_the_callers_fault(
    gateway: Gateway, account: Account, kind: str
) -> None:
    """Not gRPC's UNKNOWN in Python's words, and no defect in the log."""
    before = tasks()
    for rpc in RPCS.values():
        with capture_logs() as lines:
            outcome = await send(gateway.channel, rpc, [NO_MESSAGES[kind]])
        assert (outcome.code.name, outcome.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
        assert outcome.message == f"request: is no {rpc.request.DESCRIPTOR.name} of batchgate.v1"
        assert outcome.trailing["x-request-id"]
        assert not [one for one in lines if one["log_level"] == "error"]
    assert await account.requests() == []
    await no_task_but(before)


async def test_text_that_is_no_utf_8_is_the_callers_fault(gateway: Gateway) -> None:
    for name in ("GetFile", "CreateBatch", "StreamBatchResults"):
        outcome = await send(gateway.channel, RPCS[name], [b"\x12\x03\xff\xfe\xfd"])
        assert (outcome.code.name, outcome.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")


@pytest.mark.parametrize("name", ["UploadFile", "SubmitBatch"])
async def test_what_is_no_message_in_the_middle_of_a_stream_leaves_no_file(
    gateway: Gateway, account: Account, name: str
) -> None:
    first = {
        "UploadFile": {"filename": "a", "purpose": "vision"},
        "SubmitBatch": {"endpoint": "/v1/responses"},
    }[name]
    chunk = pb.UploadFileRequest(chunk=b"begin").SerializeToString()
    messages = [
        RPCS[name].first(**first).SerializeToString(),
        *([chunk] if name == "UploadFile" else []),
    ]
    outcome = await send(gateway.channel, RPCS[name], [*messages, b"\xff\xff\xff"])
    assert (outcome.code.name, outcome.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert await account.file_ids() == []


@pytest.fixture
async def listening(account: Account, open_gateway: OpenGateway) -> Gateway:
    """A gateway on a port, for raw connections."""
    return await open_gateway(
        {
            "listen": "127.0.0.1:0",
            "providers": profiles(account),
            "default_provider": "openai",
            "server": {"max_message_bytes": 4096},
        }
    )


@pytest.mark.parametrize("body", [b"", grpc_message(b"\x12\x06file-1")[:-2]], ids=["no", "half"])
async def test_a_call_that_ends_without_its_message_is_answered(
    listening: Gateway, body: bytes
) -> None:
    """That of a stream; a unary one gRPC itself gives up."""
    before = tasks()
    connection = await Connection.open(listening.address)
    for rpc in (rpc for rpc in RPCS.values() if rpc.descriptor.client_streaming):
        call = await connection.call(rpc.path, body)
        assert call.status == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    connection.close()
    await no_task_but(before)


async def test_a_call_that_never_sends_its_message_does_not_hold_up_a_shutdown(
    listening: Gateway,
) -> None:
    connection = await Connection.open(listening.address)
    call = connection.begin(RPCS["GetFile"].path)
    await connection.flush()
    # Answered behind it: by then the first one is waiting.
    assert (await connection.call(RPCS["GetFile"].path, grpc_message(b""))).status == 3
    async with asyncio.timeout(10):
        await listening.application.stop(grace_seconds=60)
    await connection.ended(call)
    connection.close()


async def test_a_message_over_the_limit_is_refused_by_grpc(listening: Gateway) -> None:
    for rpc in RPCS.values():
        outcome = await send(listening.channel, rpc, [bytes(4097)])
        assert outcome.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "4097 vs. 4096" in outcome.message


async def test_a_caller_that_compresses_is_told_that_it_may_not(
    gateway: Gateway, account: Account
) -> None:
    """By gRPC, which would unpack a message whole before it looks at any limit."""
    for rpc in RPCS.values():
        request = rpc.first().SerializeToString() + b"\x9a\xa8\x01\x40" + b"x" * 64
        outcome = await send(gateway.channel, rpc, [request], compression=grpc.Compression.Gzip)
        assert outcome.code is grpc.StatusCode.UNIMPLEMENTED
        assert outcome.message == "Compression algorithm 'gzip' is disabled."
    assert await account.requests() == []


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
async def test_what_would_unpack_to_much_is_not_unpacked(listening: Gateway, packing: str) -> None:
    """Three kilobytes that would become three megabytes, over the limit of four kilobytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if packing == "gzip" else 15)
    bomb = packer.compress(bytes(3 * 2**20)) + packer.flush()
    connection = await Connection.open(listening.address)
    call = await connection.call(
        RPCS["GetFile"].path,
        b"\x01" + grpc_message(bomb)[1:],
        headers=[("grpc-encoding", packing)],
    )
    assert call.status == grpc.StatusCode.UNIMPLEMENTED.value[0]
    assert "larger" not in call.message
    connection.close()


async def test_headers_over_the_limit_are_refused_by_grpc(gateway: Gateway) -> None:
    outcome = await send(
        gateway.channel, RPCS["ListProviders"], [b""], metadata=[("x-filler", "x" * 20_000)]
    )
    assert outcome.code is grpc.StatusCode.RESOURCE_EXHAUSTED
