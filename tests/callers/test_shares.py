"""What one caller leaves to the others: connections, places and queues are shared."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server.callers.origin import origin
from batchgate_server.fairness import Places
from tests.callers.conftest import OpenTeams
from tests.conftest import Gateway, OpenGateway, upload_messages
from tests.services.calls import call, failed
from tests.status import Failure, failure_of
from tests.waiting import eventually

DOWNLOAD = file_service_pb2.DownloadFileRequest(file_id="file-1")


@dataclass
class Provider:
    """Contents that never end, uploads that are never answered, and batches.

    Of these so many are answered as `turns` allow, if there are any.
    """

    profile: dict[str, Any]
    asked: list[str] = field(default_factory=list)
    turns: asyncio.Semaphore | None = None


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.decode().split(" ")[1]
                if path.endswith("/files"):
                    await reader.read()
                await answer(path, writer)
        writer.close()

    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        name = path.rpartition("/")[2]
        held.asked.append(name)
        if name == "content":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            while True:
                writer.write(bytes(65536))
                await writer.drain()
        if held.turns:
            await held.turns.acquire()
        body = json.dumps({"id": name, "status": "in_progress"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        held = Provider(
            {
                "kind": "openai",
                "base_url": f"http://127.0.0.1:{port}/v1",
                "api_key": "k",
                "max_connections": 10,
                "connect_timeout_seconds": 0.2,
            }
        )
        yield held


@asynccontextmanager
async def unread(gateway: Gateway, count: int) -> AsyncIterator[list[Failure]]:
    """Downloads of which nothing but the first piece is read; the failures of those that failed."""
    streams = [gateway.files.DownloadFile(DOWNLOAD) for _ in range(count)]
    failures: list[Failure] = []

    async def begin(stream: Any) -> None:
        try:
            await stream.read()
        except grpc.aio.AioRpcError as exc:
            failures.append(failure_of(exc))

    await asyncio.gather(*map(begin, streams))
    try:
        yield failures
    finally:
        for stream in streams:
            stream.cancel()


def one_profile(provider: Provider, **limits: Any) -> dict[str, Any]:
    return {
        "providers": {"p": provider.profile},
        "default_provider": "p",
        "limits": limits,
    }


async def test_unread_downloads_of_one_leave_connections_to_the_others(
    open_teams: OpenTeams, provider: Provider
) -> None:
    teams = await open_teams(one_profile(provider), a={}, b={}, c={})
    async with unread(teams["a"], 30) as failures:
        assert 20 <= len(failures) <= 23
        assert {one.reason for one in failures} == {"CALLER_LIMIT"}
        for one in failures:
            assert one.code == "RESOURCE_EXHAUSTED"
            assert "limits.caller_share" in one.message
            assert "providers.p.max_connections" in one.message
            assert one.retry_seconds == 1.0
        # Its own short calls go on, too.
        for name in ("b", "c", "a"):
            await call(teams[name], "GetBatch")
        async with unread(teams["b"], 1) as none:
            assert none == []
            await asyncio.gather(*(call(teams["c"], "GetBatch") for _ in range(20)))
    await eventually(lambda: not teams[""].application._draining._running)
    # And it comes back.
    async with unread(teams["a"], 5) as none:
        assert none == []


async def test_without_shares_it_is_first_come_first_served(
    open_teams: OpenTeams, provider: Provider
) -> None:
    """But for what is kept for short calls."""
    teams = await open_teams(one_profile(provider, caller_share=1), a={}, b={})
    async with unread(teams["a"], 30) as failures:
        assert len(failures) == 21
        assert {one.reason for one in failures} == {"GATEWAY_OVERLOADED"}
        async with unread(teams["b"], 1) as more:
            assert [one.reason for one in more] == ["GATEWAY_OVERLOADED"]
        await call(teams["b"], "GetBatch")


async def test_a_share_that_is_set_anew_counts_at_once(
    open_teams: OpenTeams, provider: Provider
) -> None:
    teams = await open_teams(one_profile(provider, caller_share=1), a={})
    settings = teams[""].application.settings
    limits = settings.limits.model_copy(update={"caller_share": 0.3})
    teams[""].application.reload(settings.model_copy(update={"limits": limits}))
    async with unread(teams["a"], 10) as failures:
        assert 6 <= len(failures) <= 8
        assert {one.reason for one in failures} == {"CALLER_LIMIT"}


async def test_callers_without_a_name_are_told_apart_by_where_they_come_from(
    open_gateway: OpenGateway, provider: Provider
) -> None:
    gateway = await open_gateway({"listen": "127.0.0.1:0", **one_profile(provider)})
    async with AsyncExitStack() as stack:
        # A connection of its own, as of another process.
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.aio.insecure_channel(gateway.address, options=options)
        other = Gateway(gateway.application, await stack.enter_async_context(channel))
        failures = await stack.enter_async_context(unread(gateway, 30))
        assert {one.reason for one in failures} == {"CALLER_LIMIT"}
        await call(other, "GetBatch")
        assert await stack.enter_async_context(unread(other, 1)) == []


async def test_those_who_wait_for_a_connection_take_turns(
    open_teams: OpenTeams, provider: Provider
) -> None:
    provider.turns = asyncio.Semaphore(0)
    provider.profile |= {"max_connections": 1, "connect_timeout_seconds": 10}
    teams = await open_teams(one_profile(provider), a={}, b={})
    calls = [asyncio.ensure_future(call(teams["a"], "GetBatch", batch_id="a")) for _ in range(20)]
    running = teams[""].application._draining._running
    await eventually(lambda: len(running) == 20)
    calls.append(asyncio.ensure_future(call(teams["b"], "GetBatch", batch_id="b")))
    await eventually(lambda: len(running) == 21)
    for _ in calls:
        provider.turns.release()
    await asyncio.gather(*calls)
    assert len(provider.asked) == 21
    assert provider.asked.index("b") <= 2


async def test_one_caller_does_not_fill_the_queue_for_a_connection(
    open_teams: OpenTeams, provider: Provider
) -> None:
    provider.turns = asyncio.Semaphore(0)
    provider.profile |= {"max_connections": 1, "connect_timeout_seconds": 10}
    teams = await open_teams(one_profile(provider), a={}, b={})
    # The transport of these tests lets 100 wait.
    calls = [asyncio.ensure_future(call(teams["a"], "GetBatch")) for _ in range(150)]
    running = teams[""].application._draining._running
    await eventually(lambda: 0 < sum(one.done() for one in calls) == 150 - len(running))
    late = asyncio.ensure_future(call(teams["b"], "GetBatch", batch_id="b"))
    await eventually(lambda: any(one.caller.name == "b" for one in running.values()))
    for _ in range(len(running)):
        provider.turns.release()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    reasons = [failure_of(one).reason for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
    assert set(reasons) == {"CALLER_LIMIT"}
    assert 60 <= len(reasons) <= 75
    await late


@pytest.mark.parametrize(
    ("limit", "method"), [("max_calls", "DownloadFile"), ("max_watches", "WatchBatch")]
)
async def test_one_caller_does_not_take_all_places_of_the_gateway(
    open_teams: OpenTeams, provider: Provider, limit: str, method: str
) -> None:
    provider.profile |= {"max_connections": 100}
    teams = await open_teams(one_profile(provider, **{limit: 10}), a={}, b={})

    def begin(name: str) -> Any:
        if method == "WatchBatch":
            return teams[name].batches.WatchBatch(pb.WatchBatchRequest(batch_id="batch_1"))
        return teams[name].files.DownloadFile(DOWNLOAD)

    streams = [begin("a") for _ in range(8)]
    for stream in streams:
        await stream.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await begin("a").read()
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("RESOURCE_EXHAUSTED", "CALLER_LIMIT")
    assert f"limits.caller_share and limits.{limit}" in failure.message
    assert failure.retry_seconds == 1.0
    streams.append(begin("b"))
    await streams[-1].read()
    for stream in streams:
        stream.cancel()


async def test_one_caller_does_not_take_all_uploads(
    open_teams: OpenTeams, provider: Provider
) -> None:
    teams = await open_teams(one_profile(provider, max_uploads=5), a={}, b={})
    running = teams[""].application._draining._running
    uploads = []
    for _ in range(4):
        uploads.append(teams["a"].files.UploadFile())
        for message in upload_messages(b"x" * 1000, filename="a", purpose="vision"):
            await uploads[-1].write(message)
    await eventually(lambda: len(running) == 4)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await teams["a"].upload(b"x", purpose="vision")
    assert failure_of(caught.value).reason == "CALLER_LIMIT"
    report = await teams["b"].upload(b"x", purpose="vision", validate_only=True)
    assert report.report.received_bytes == 1
    for upload in uploads:
        upload.cancel()


async def test_the_gateways_limit_is_told_as_such(
    open_teams: OpenTeams, provider: Provider
) -> None:
    teams = await open_teams(one_profile(provider, max_calls=2), a={}, b={}, c={})
    async with unread(teams["a"], 1), unread(teams["b"], 1):
        failure = await failed(teams["c"], "GetBatch")
        assert failure.reason == "GATEWAY_OVERLOADED"
        assert failure.message == "the gateway has 2 calls under way, which is its limit"


@given(
    limit=st.integers(min_value=3, max_value=200),
    part=st.floats(min_value=0.05, max_value=0.95),
    greedy=st.integers(min_value=1, max_value=20),
)
def test_greedy_callers_come_to_equal_parts_and_leave_some(
    limit: int, part: float, greedy: int
) -> None:
    places: Places[str] = Places(limit)
    held = dict.fromkeys(map(str, range(greedy)), 0)
    taking = True
    while taking:
        taking = False
        for name in held:
            if places.may_take(name, part):
                places.take(name)
                held[name] += 1
                taking = True
    assert max(held.values()) <= max(limit * part + 1, 1)
    assert max(held.values()) - min(held.values()) <= 1
    assert places.taken == sum(held.values())
    # Unless there are as many as there are places, the next one may begin.
    if greedy < limit:
        assert places.may_take("next", part)
        places.take("next")
    for name, count in held.items():
        for _ in range(count):
            places.give_back(name)
    assert places.taken == (1 if greedy < limit else 0)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("ipv4:10.1.2.3:4567", "ipv4:10.1.2.3"),
        ("ipv6:%5Bfd00::1%5D:4567", "ipv6:%5Bfd00::1%5D"),
        ("ipv4:127.0.0.1:4567", "ipv4:127.0.0.1:4567"),
        ("ipv6:%5B::1%5D:4567", "ipv6:%5B::1%5D:4567"),
        ("unix:", "unix"),
    ],
)
def test_where_a_caller_comes_from(peer: str, expected: str) -> None:
    assert origin(peer) == expected
