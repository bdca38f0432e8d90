"""A passing failure of the provider: what is tried again, how often, and what never is."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2, file_service_pb2, provider_service_pb2
from batchgate_server.providers.registry import Profile
from tests.conftest import (
    PROFILES,
    Account,
    Gateway,
    OpenGateway,
    profiles,
    shared_tls_transport,
    upload_messages,
)
from tests.services.calls import call, failed
from tests.status import Failure, failure_of
from tests.waiting import eventually

LINE = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m"}}\n'
READS = ("GetBatch", "ListBatches", "GetFile", "ListFiles", "DownloadFile")
CHANGES = ("DeleteFile", "CancelBatch")
PASSING: dict[str, dict[str, Any]] = {
    **{str(status): {"kind": "answer", "status": status} for status in (408, 429, 500, 502, 503)},
    "529": {"kind": "answer", "status": 529},
    "date": {
        "kind": "answer",
        "status": 429,
        "headers": {"retry-after": "Fri, 01 Jan 2016 00:00:00 GMT"},
    },
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut", "send_bytes": 5},
}
METHODS = {"DeleteFile": "DELETE", "CancelBatch": "POST"}
CREATING = {"method": "POST", "path": "*/batches"}
UPLOADING = {"method": "POST", "path": "*/files"}


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def things(account: Account, gateway: Gateway) -> dict[str, dict[str, str]]:
    """What the calls are about, by their names: a file and a batch that runs for long."""
    await account.settings(step_seconds=60)
    file_id = (await gateway.upload(LINE)).file.id
    batch = await gateway.batches.CreateBatch(creation(file_id))
    of_file, of_batch = {"file_id": file_id}, {"batch_id": batch.batch.id}
    return {
        "GetFile": of_file,
        "DeleteFile": of_file,
        "DownloadFile": of_file,
        "GetBatch": of_batch,
        "CancelBatch": of_batch,
    }


def creation(file_id: str, **fields: Any) -> batch_service_pb2.CreateBatchRequest:
    return batch_service_pb2.CreateBatchRequest(
        input_file_id=file_id, endpoint="/v1/embeddings", **fields
    )


async def made(gateway: Gateway, name: str, fields: dict[str, str]) -> Any:
    if name == "DownloadFile":
        return await gateway.download(fields["file_id"])
    return await call(gateway, name, **fields)


async def sent(account: Account, method: str, path: str = "/") -> list[dict[str, Any]]:
    """The requests of a method that arrived."""
    requests = await account.requests()
    return [one for one in requests if one["method"] == method and path in one["path"]]


async def refused(answer: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    return failure_of(caught.value)


# --------------------------------------------------------------------------- what is tried again


@pytest.mark.parametrize("kind", PASSING)
@pytest.mark.parametrize("name", [*READS, *CHANGES])
async def test_what_passes_is_tried_again(
    account: Account, gateway: Gateway, things: dict[str, dict[str, str]], name: str, kind: str
) -> None:
    method = METHODS.get(name, "GET")
    before = len(await sent(account, method))
    fault = PASSING[kind]
    if kind == "cut" and name != "DownloadFile":
        # Any answer will do, and nothing is done yet.
        fault = {**fault, "status": 200, "body": {"id": "batch_1"}}
    await account.fault(**fault, method=method, times=2)
    with capture_logs() as lines:
        await made(gateway, name, things.get(name, {}))
    assert len(await sent(account, method)) - before == 3
    (line,) = lines
    assert (line["code"], line["retries"]) == ("OK", 2)


@pytest.mark.parametrize(("retries", "requests"), [(0, 1), (1, 2), (4, 5)])
async def test_as_often_as_the_profile_says(
    account: Account, open_gateway: OpenGateway, lines: list[Any], retries: int, requests: int
) -> None:
    profile = profiles(account)["openai"] | {"retries": retries}
    gateway = await open_gateway({"providers": {"openai": profile}})
    await account.fault(kind="answer", status=500, times=None)
    failure = await failed(gateway, "GetBatch")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert failure.retry_seconds
    assert len(await sent(account, "GET")) == requests
    assert [line["retries"] for line in lines] == [retries]


async def test_a_wait_that_the_provider_asks_for_is_kept(
    account: Account, gateway: Gateway
) -> None:
    await account.fault(kind="answer", status=429, headers={"retry-after-ms": "40"})
    begin = perf_counter()
    await call(gateway, "ListBatches")
    assert perf_counter() - begin >= 0.04


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_creation_is_tried_again_after_a_429(
    account: Account, gateway: Gateway, provider: str
) -> None:
    file_id = (await gateway.upload(LINE, provider=provider)).file.id
    await account.fault(kind="answer", status=429, times=2, **CREATING)
    answer = await gateway.batches.CreateBatch(creation(file_id, provider=provider))
    assert len(await sent(account, "POST", "/batches")) == 3
    listed = await call(gateway, "ListBatches", provider=provider)
    assert [batch.id for batch in listed.batches] == [answer.batch.id]


class Refusing(httpx.AsyncBaseTransport):
    """Connections that are refused at first, before anything was sent."""

    def __init__(self, inner: httpx.AsyncBaseTransport, *, times: int) -> None:
        self._inner = inner
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.left:
            self.left -= 1
            raise httpx.ConnectError("refused")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_creations_and_uploads_are_tried_again_where_nothing_was_sent(
    account: Account, open_gateway: OpenGateway
) -> None:
    transports: list[Refusing] = []

    def transport(profile: Profile) -> httpx.AsyncBaseTransport:
        transports.append(Refusing(shared_tls_transport(profile), times=2))
        return transports[-1]

    providers = {"openai": profiles(account)["openai"]}
    gateway = await open_gateway({"providers": providers}, transport=transport)
    content = LINE * 10_000
    file_id = (await gateway.upload(content)).file.id
    assert await account.file_ids() == [file_id]
    assert await gateway.download(file_id) == content
    transports[0].left = 2
    await gateway.batches.CreateBatch(creation(file_id))
    assert len(await sent(account, "POST")) == 2


# --------------------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "answer", "status": 500},
        {"kind": "answer", "status": 503},
        {"kind": "answer", "status": 408},
        {"kind": "answer", "status": 500, "headers": {"x-should-retry": "true"}},
        {"kind": "answer", "status": 429, "headers": {"x-should-retry": "false"}},
        {"kind": "reset"},
        {"kind": "reset", "process": True},
        {"kind": "cut", "status": 200, "body": {"id": "batch_1"}},
    ],
    ids=str,
)
async def test_no_creation_is_sent_twice_after_an_unclear_failure(
    account: Account, gateway: Gateway, fault: dict[str, Any]
) -> None:
    file_id = (await gateway.upload(LINE)).file.id
    await account.fault(**fault, **CREATING)
    await refused(gateway.batches.CreateBatch(creation(file_id)))
    assert len(await sent(account, "POST", "/batches")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "answer", "status": 429},
        {"kind": "early", "status": 429, "read_bytes": 0},
        {"kind": "answer", "status": 500},
        {"kind": "reset", "read_bytes": 0},
        {"kind": "reset", "process": True},
    ],
    ids=str,
)
async def test_no_upload_is_sent_twice_when_its_content_was_asked_for(
    account: Account, gateway: Gateway, fault: dict[str, Any]
) -> None:
    """It is read once, from the caller."""
    await account.fault(**fault, **UPLOADING)
    await refused(gateway.files.UploadFile(upload_messages(LINE, purpose="batch", filename="a")))
    assert len(await sent(account, "POST", "/files")) == 1


async def test_an_answer_that_comes_as_an_upload_ends_is_told(
    account: Account, gateway: Gateway
) -> None:
    """At every moment, also while the gateway makes sure that the caller has ended on purpose.

    One in fifty meets that moment.
    """
    uploads, at_once = 400, 20
    await account.fault(kind="early", status=429, read_bytes=0, times=uploads, **UPLOADING)

    async def one_after_the_other() -> None:
        for _ in range(uploads // at_once):
            messages = upload_messages(LINE, purpose="batch", filename="a")
            call = gateway.files.UploadFile(messages, timeout=30)
            assert (await refused(call)).reason == "PROVIDER_RATE_LIMITED"

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
    assert await account.file_ids() == []


NOT_AGAIN: dict[str, dict[str, Any]] = {
    **{str(status): {"status": status} for status in (400, 401, 403, 404, 409, 413, 422)},
    "quota": {"status": 429, "body": {"error": {"code": "insufficient_quota", "message": "No."}}},
    "tokens": {"status": 400, "body": {"error": {"code": "token_limit_exceeded"}}},
    "HTML": {"status": 200, "body": "<html>"},
    "too long a wait": {"status": 429, "headers": {"retry-after": "7"}},
    "told not to": {"status": 503, "headers": {"x-should-retry": "false"}},
}


@pytest.mark.parametrize("kind", NOT_AGAIN)
async def test_what_does_not_pass_is_asked_once(
    account: Account, gateway: Gateway, kind: str
) -> None:
    await account.fault(kind="answer", **NOT_AGAIN[kind])
    failure = await failed(gateway, "ListFiles")
    assert len(await sent(account, "GET")) == 1
    if kind == "too long a wait":
        assert failure.retry_seconds == 7


async def test_a_provider_that_says_so_is_asked_again(account: Account, gateway: Gateway) -> None:
    await account.fault(kind="answer", status=409, headers={"x-should-retry": "true"})
    await call(gateway, "ListFiles")
    assert len(await sent(account, "GET")) == 2


async def test_no_wait_goes_past_the_callers_deadline(
    account: Account, open_gateway: OpenGateway
) -> None:
    """The error is of more use than a deadline that passes, and tells how long to wait."""
    profile = profiles(account)["openai"] | {"retry_cap_seconds": 60}
    gateway = await open_gateway({"providers": {"openai": profile}})
    await account.fault(kind="answer", status=503, headers={"retry-after": "30"}, times=None)
    begin = perf_counter()
    failure = await failed(gateway, "GetBatch", _timeout=20)
    assert (failure.reason, failure.retry_seconds) == ("PROVIDER_UNAVAILABLE", 30)
    assert perf_counter() - begin < 10
    assert len(await sent(account, "GET")) == 1


async def test_no_wait_goes_past_the_time_of_the_whole_call(
    account: Account, open_gateway: OpenGateway
) -> None:
    profile = profiles(account)["openai"] | {"retry_cap_seconds": 60, "timeout_seconds": 20}
    gateway = await open_gateway({"providers": {"openai": profile}})
    await account.fault(kind="answer", status=503, headers={"retry-after": "30"}, times=None)
    begin = perf_counter()
    assert (await failed(gateway, "GetBatch")).retry_seconds == 30
    assert perf_counter() - begin < 10


async def test_a_check_of_health_asks_once(account: Account, gateway: Gateway) -> None:
    await account.fault(kind="answer", status=500, path="/v1/*")
    request = provider_service_pb2.ListProvidersRequest(check_health=True)
    answer = await gateway.providers.ListProviders(request)
    unhealthy = provider_service_pb2.PROVIDER_HEALTH_STATE_UNHEALTHY
    assert {one.name: one.health.state for one in answer.providers}["openai"] == unhealthy
    assert [one["path"] for one in await sent(account, "GET")].count("/v1/batches") == 1


async def test_a_look_at_a_watched_batch_is_one_request(
    account: Account, open_gateway: OpenGateway
) -> None:
    """Watching has a pace of its own."""
    watch = {"first_poll_seconds": 60, "slowest_poll_seconds": 60}
    gateway = await open_gateway({"providers": profiles(account), "watch": watch})
    await account.fault(kind="answer", status=500, times=None)
    request = batch_service_pb2.WaitBatchRequest(provider="openai", batch_id="batch_1")
    failure = await refused(gateway.batches.WaitBatch(request, timeout=1.2))
    assert failure.reason == "PROVIDER_UNAVAILABLE"
    assert len(await sent(account, "GET")) == 1


# --------------------------------------------------------------------------- repeats of changes


async def test_a_deletion_whose_answer_was_lost_is_a_deletion(
    account: Account, gateway: Gateway, things: dict[str, dict[str, str]]
) -> None:
    """The second attempt finds no file, and that is what was wanted."""
    await account.fault(kind="reset", process=True, method="DELETE")
    answer = await call(gateway, "DeleteFile", **things["DeleteFile"])
    assert answer.deleted
    assert await account.file_ids() == []
    await account.fault(kind="answer", status=429, method="DELETE")
    failure = await failed(gateway, "DeleteFile", **things["DeleteFile"])
    assert failure.reason == "PROVIDER_NOT_FOUND", "nobody can have deleted it before"


@pytest.mark.parametrize("status", [400, 409])
async def test_a_cancellation_whose_answer_was_lost_is_one(
    account: Account, gateway: Gateway, things: dict[str, dict[str, str]], status: int
) -> None:
    """Some providers refuse to cancel what they cancel already."""
    await account.fault(kind="reset", process=True, method="POST")
    await account.fault(kind="answer", status=status, method="POST")
    answer = await call(gateway, "CancelBatch", **things["CancelBatch"])
    cancelled = batch_service_pb2.CancelBatchResponse(batch=answer.batch).batch.status_text.lower()
    assert cancelled in {"cancelling", "cancelled"}


@pytest.mark.parametrize("first", [{"kind": "answer", "status": 429}, {"kind": "reset"}])
async def test_a_cancellation_that_is_refused_stays_refused(
    account: Account,
    gateway: Gateway,
    things: dict[str, dict[str, str]],
    first: dict[str, Any],
) -> None:
    await account.fault(**first, method="POST")
    await account.fault(kind="answer", status=409, method="POST")
    failure = await failed(gateway, "CancelBatch", **things["CancelBatch"])
    assert failure.reason == "PROVIDER_CONFLICT"
    looks = await sent(account, "GET", "/batches/")
    assert len(looks) == (0 if first["kind"] == "answer" else 1)


# --------------------------------------------------------------------------- connections


@pytest.fixture
async def endless() -> AsyncIterator[dict[str, Any]]:
    """The profile of a provider whose files do not end, and whose batches are there."""
    batch = json.dumps({"id": "batch_1", "status": "in_progress"}).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while b"/content" not in await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(batch) + batch)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
            while not reader.at_eof():
                writer.write(bytes(65536))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield {"kind": "openai", "base_url": f"http://127.0.0.1:{port}/v1", "api_key": "k"}


async def test_downloads_that_nobody_reads_say_nothing_against_the_provider(
    open_gateway: OpenGateway, endless: dict[str, Any]
) -> None:
    """They hold connections; others hear so, and what allows for more, and when to come back."""
    profile = {**endless, "max_connections": 2, "connect_timeout_seconds": 0.05}
    gateway = await open_gateway(
        {"providers": {"p": {**profile, "breaker_failures": 1, "breaker_after_seconds": 0}}}
    )
    request = file_service_pb2.DownloadFileRequest(file_id="file-1")
    unread = [gateway.files.DownloadFile(request) for _ in range(2)]
    for stream in unread:
        await stream.read()
    upload = upload_messages(LINE, purpose="batch", filename="a")
    for failure in (
        await failed(gateway, "GetBatch"),
        await failed(gateway, "CreateBatch"),
        await refused(gateway.files.UploadFile(upload)),
    ):
        assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "GATEWAY_OVERLOADED")
        assert "providers.p.max_connections" in failure.message
        assert failure.retry_seconds
        assert failure.metadata == {"provider": "p"}
    health = (await call(gateway, "ListProviders")).providers[0].health
    assert health.state != provider_service_pb2.PROVIDER_HEALTH_STATE_UNHEALTHY
    with capture_logs() as lines:
        for stream in unread:
            stream.cancel()
        await eventually(lambda: len(lines) == len(unread))
    assert [line.get("code") for line in lines] == ["CANCELLED", "CANCELLED"]
    await call(gateway, "GetBatch")


async def test_a_connection_that_the_provider_gave_up_does_not_fail_a_read(
    account: Account, open_gateway: OpenGateway
) -> None:
    """It was reset after an answer, as some servers do; that is no retry of a failure either."""
    profile = profiles(account)["openai"] | {"retries": 0}
    gateway = await open_gateway({"providers": {"openai": profile}})
    for _ in range(5):
        await account.fault(kind="delay", delay=0, reset_after=0, method="GET")
        await call(gateway, "ListBatches")
        await call(gateway, "ListBatches")


async def test_a_provider_that_takes_no_connection_is_given_up(
    open_gateway: OpenGateway, full_port: int
) -> None:
    profile = {"kind": "openai", "base_url": f"http://127.0.0.1:{full_port}/v1", "api_key": "k"}
    limits = {"connect_timeout_seconds": 0.05, "retries": 1, "retry_first_seconds": 0.001}
    gateway = await open_gateway({"providers": {"p": {**profile, **limits}}})
    begin = perf_counter()
    failure = await failed(gateway, "GetBatch")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
    assert 0.1 <= perf_counter() - begin < 2


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port where nothing is ever accepted, and whose queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        yield address[1]
        for one in waiting:
            one.close()
