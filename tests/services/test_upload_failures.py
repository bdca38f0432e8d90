"""Uploads that the provider, or the way to it, fails: what the caller hears, and what is left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

import grpc
import pytest

from batchgate.v1 import file_service_pb2 as pb
from batchgate.v1.file_service_pb2_grpc import FileServiceStub
from tests.conftest import (
    CHUNK,
    PROFILES,
    Account,
    Gateway,
    OpenGateway,
    profiles,
)
from tests.status import Failure, failure_of
from tests.waiting import all_file_ids, eventually, no_task_but, tasks, uploads_over

CONTENT = b'{"custom_id":"1"}\n' * 100
LARGE = 200 * 1000 * 1000


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def metadata(**fields: Any) -> pb.UploadFileRequest:
    fields = {"filename": "a.jsonl", "purpose": "batch", **fields}
    return pb.UploadFileRequest(
        metadata=pb.UploadFileMetadata(**{"jsonl_check": pb.JSONL_CHECK_OFF, **fields})
    )


def endless(sent: list[int], **fields: Any) -> Iterator[pb.UploadFileRequest]:
    """An upload that goes on for as long as the gateway takes it."""
    yield metadata(**fields)
    message = pb.UploadFileRequest(chunk=bytes(CHUNK))
    while True:
        sent.append(CHUNK)
        yield message


async def endless_failed(gateway: Gateway, sent: list[int], **fields: Any) -> Failure:
    """How an endless upload ends.

    By gRPC's synchronous client: the asynchronous one takes a write that fails, since the call is
    over, for an internal error of its own, where it hears of that before it hears the status.
    """

    def upload() -> Failure:
        with grpc.insecure_channel(gateway.address) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                FileServiceStub(channel).UploadFile(endless(sent, **fields))
            return failure_of(caught.value)  # type: ignore[arg-type] # has all that is read

    return await asyncio.to_thread(upload)


async def failed(
    gateway: Gateway, content: bytes = CONTENT, *, provider: str = "openai", **fields: Any
) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(content, provider=provider, **fields)
    return failure_of(caught.value)


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (401, ("FAILED_PRECONDITION", "PROVIDER_CREDENTIAL_REJECTED")),
        (413, ("INVALID_ARGUMENT", "FILE_TOO_LARGE")),
        (429, ("RESOURCE_EXHAUSTED", "PROVIDER_RATE_LIMITED")),
    ],
)
@pytest.mark.parametrize("known", [True, False])
async def test_an_answer_after_the_first_64_kib_ends_a_large_upload_at_once(
    gateway: Gateway, account: Account, provider: str, *, status: int, ending: Any, known: bool
) -> None:
    """The provider reads no more; the caller would go on sending for ever."""
    before = tasks()
    await account.fault(kind="early", status=status, hold=30, headers={"retry-after": "7"})
    sent: list[int] = []
    size = {"size_bytes": LARGE} if known else {}
    begin = perf_counter()
    failure = await endless_failed(gateway, sent, provider=provider, **size)
    assert (failure.code, failure.reason) == ending
    assert failure.retry_seconds == (7 if status == 429 else None)
    assert failure.metadata["http_status"] == str(status)
    assert perf_counter() - begin < 5
    assert sum(sent) < LARGE / 2
    await no_task_but(before)
    assert await all_file_ids(account) == []


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("known", [True, False])
async def test_a_reset_in_the_middle_is_unavailable_and_nothing_is_half_done(
    gateway: Gateway, account: Account, provider: str, known: bool
) -> None:
    before = tasks()
    await account.fault(kind="reset", read_bytes=64 * 1024)
    size = {"size_bytes": LARGE} if known else {}
    failure = await endless_failed(gateway, [], provider=provider, **size)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert failure.retry_seconds
    assert failure.metadata["provider"] == provider
    await no_task_but(before)
    assert len(await uploads_over(account)) == 1, "an upload is never repeated"
    assert await all_file_ids(account) == []


LOST_ANSWERS: dict[str, dict[str, Any]] = {
    "reset": {"kind": "reset", "process": True},
    "500": {"kind": "answer", "status": 500, "process": True},
    "HTML": {"kind": "answer", "status": 200, "body": "<html>", "process": True},
    "no body": {"kind": "answer", "status": 200, "body": "", "process": True},
    "cut off": {"kind": "cut"},
    "no file": {"kind": "answer", "status": 200, "body": {"object": "file"}, "process": True},
    "a list": {"kind": "answer", "status": 200, "body": [1], "process": True},
    "null": {"kind": "answer", "status": 200, "body": "null", "process": True},
}


@pytest.mark.parametrize("provider", PROFILES)
@pytest.mark.parametrize("lost", LOST_ANSWERS)
async def test_an_answer_lost_after_the_whole_body_leaves_the_outcome_unknown(
    gateway: Gateway, account: Account, provider: str, lost: str
) -> None:
    """Never UNAVAILABLE: clients repeat that by themselves, and the file may be there."""
    before = tasks()
    await account.fault(**LOST_ANSWERS[lost])
    failure = await failed(gateway, provider=provider)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert failure.retry_seconds is None
    assert failure.metadata["provider"] == provider
    assert "look before repeating" in failure.message
    await no_task_but(before)
    assert len(await uploads_over(account)) == 1, "an upload is never repeated"
    assert len(await all_file_ids(account)) == 1


async def test_a_hang_after_the_whole_body_leaves_the_outcome_unknown(
    open_gateway: OpenGateway, account: Account
) -> None:
    before = tasks()
    profile = profiles(account)["openai"] | {"timeout_seconds": 0.3}
    gateway = await open_gateway({"providers": {"openai": profile}})
    running = tasks() - before
    await account.fault(kind="hang", process=True)
    failure = await failed(gateway)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert "in time" in failure.message
    await no_task_but(before | running)


async def test_a_provider_that_stops_reading_is_given_up(
    open_gateway: OpenGateway, account: Account
) -> None:
    """Certain that nothing was created: PROVIDER_TIMEOUT, not OUTCOME_UNKNOWN."""
    before = tasks()
    profile = profiles(account)["openai"] | {"idle_timeout_seconds": 0.3}
    gateway = await open_gateway({"providers": {"openai": profile}})
    running = tasks() - before
    await account.fault(kind="hang", read_bytes=64 * 1024, hold=30)
    failure = await endless_failed(gateway, [], provider="openai")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_TIMEOUT")
    await no_task_but(before | running)
    assert await account.file_ids() == []


async def test_a_caller_that_pauses_is_not_the_provider_being_slow(
    open_gateway: OpenGateway, account: Account
) -> None:
    """Longer than all timeouts of the profile passes between two chunks."""
    impatient = {"idle_timeout_seconds": 0.2, "timeout_seconds": 0.2}
    gateway = await open_gateway({"providers": {"openai": profiles(account)["openai"] | impatient}})

    async def messages() -> AsyncIterator[pb.UploadFileRequest]:
        yield metadata()
        yield pb.UploadFileRequest(chunk=b"{}")
        await asyncio.sleep(0.6)
        yield pb.UploadFileRequest(chunk=b"\n")

    answer = await gateway.files.UploadFile(messages())
    assert answer.file.size_bytes == 3


async def test_a_refused_connection_is_unreachable(
    open_gateway: OpenGateway, account: Account, unused_port: int
) -> None:
    nowhere = {"kind": "openai", "base_url": f"http://127.0.0.1:{unused_port}", "api_key": "k"}
    gateway = await open_gateway({"providers": {"openai": nowhere}})
    failure = await endless_failed(gateway, [])
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
    assert failure.retry_seconds


async def test_a_success_before_the_end_of_the_body_is_no_success(
    gateway: Gateway, account: Account
) -> None:
    """Whatever that server did, it did not store the file: the end was never sent."""
    await account.fault(kind="early", status=200, body={"id": "file-1", "object": "file"})
    failure = await endless_failed(gateway, [])
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 503])
async def test_a_clear_refusal_after_the_whole_body_is_certain(
    gateway: Gateway, account: Account, status: int
) -> None:
    """The provider says that it did nothing: no OUTCOME_UNKNOWN."""
    await account.fault(kind="answer", status=status)
    failure = await failed(gateway)
    assert failure.reason != "OUTCOME_UNKNOWN"
    assert failure.metadata["http_status"] == str(status)
    assert await account.file_ids() == []


async def test_messages_are_read_as_the_provider_takes_them(
    gateway: Gateway, account: Account
) -> None:
    """A slow provider slows the caller down instead of filling memory."""
    await account.fault(kind="slow_read", bytes_per_second=1_000_000)
    sent: list[int] = []
    call = gateway.files.UploadFile(endless(sent))
    await eventually(lambda: sent)
    # Long enough for an unchecked sender to send a hundred times what the buffers hold.
    await asyncio.sleep(0.7)
    call.cancel()
    assert sum(sent) < 40_000_000


async def test_uploads_at_once_do_not_mix(gateway: Gateway) -> None:
    contents = [bytes([number]) * (number * 9973) for number in range(1, 30)]
    answers = await asyncio.gather(*(gateway.upload(content, chunk=5000) for content in contents))
    for content, answer in zip(contents, answers, strict=True):
        assert await gateway.download(answer.file.id) == content
