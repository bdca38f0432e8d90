"""Other settings while calls run: they end as they began, and new ones know nothing of the old."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import httpx
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2, provider_service_pb2
from batchgate_server import background
from batchgate_server import reloading as reloading_module
from batchgate_server.callers.tokens import digest
from batchgate_server.providers.registry import Profile
from batchgate_server.reloading import Reloading
from batchgate_server.rest.transport import open_transport
from batchgate_server.settings import ConfigurationError, OpenAIProfile, Settings, load_settings
from tests.conftest import (
    Account,
    Gateway,
    OpenGateway,
    profiles,
    shared_tls_transport,
    upload_messages,
)
from tests.services.calls import call, failed
from tests.services.rows import created, line
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually, no_task_but, tasks, uploads_over

SLOW = {"first_poll_seconds": 100, "slowest_poll_seconds": 100}
FAST = {"first_poll_seconds": 0.01, "slowest_poll_seconds": 0.02}
# Of a batch that does not end by itself.
STALLED = {"sandbox_outcome": "stalled"}


@pytest.fixture
def other(account: Account) -> Account:
    """Another account at the same sandbox."""
    return Account(key=f"sk-{uuid.uuid4().hex}", url=account.url)


def profile(account: Account, **more: object) -> dict[str, object]:
    return {
        "kind": "openai",
        "base_url": f"{account.url}/v1",
        "api_key": account.key,
        **more,
    }


def reload(gateway: Gateway, **settings: Any) -> None:
    """Reload with these settings, at the address that there is."""
    listen = gateway.application._settings.listen
    # As `open_gateway` has it: nobody asks the provider but the test.
    server = {"health_check_seconds": 0, **settings.pop("server", {})}
    overrides = {"listen": listen, "server": server, **settings}
    gateway.application.reload(load_settings(environment={}, overrides=overrides))


async def all_closed(gateway: Gateway) -> None:
    """Waits until no provider is left that was replaced."""
    await eventually(lambda: not gateway.application._providers._retired)


async def rest_of(stream: Any) -> list[Any]:
    """All messages that come."""
    messages = []
    while (message := await stream.read()) is not grpc.aio.EOF:
        messages.append(message)
    return messages


async def ended(call: Awaitable[Any]) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)


# --------------------------------------------------------------------------- providers


async def test_a_profile_that_is_the_same_keeps_its_connections(
    account: Account, other: Account, open_gateway: OpenGateway
) -> None:
    one = profile(account)
    gateway = await open_gateway({"providers": {"one": one}})
    await call(gateway, "ListFiles")
    reload(gateway, providers={"one": one, "two": profile(other)}, default_provider="one")
    await call(gateway, "ListFiles")
    await call(gateway, "ListFiles", provider="two")
    first, second = await account.requests()
    assert first["connection"] == second["connection"]
    assert len(await other.requests()) == 1


async def test_providers_come_and_go(
    account: Account, other: Account, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    reload(gateway, providers={"two": profile(other)})
    failure = await failed(gateway, "ListFiles", provider="one")
    assert (failure.reason, failure.code) == ("PROVIDER_UNKNOWN", "NOT_FOUND")
    assert failure.message.endswith("known: two")
    # It is the default now.
    await call(gateway, "ListFiles")
    request = provider_service_pb2.ListProvidersRequest(check_health=True)
    (there,) = (await gateway.providers.ListProviders(request)).providers
    assert (there.name, there.is_default) == ("two", True)
    assert await account.requests() == []
    await all_closed(gateway)


async def test_calls_that_run_end_with_what_they_began_with(
    account: Account, other: Account, open_gateway: OpenGateway
) -> None:
    before = tasks()
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    content = bytes(range(256)) * 8000
    file = (await gateway.upload(content, purpose="vision")).file
    upload = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a", purpose="vision"):
        await upload.write(message)
    download: Any = gateway.files.DownloadFile(
        file_service_pb2.DownloadFileRequest(file_id=file.id)
    )
    got: bytes = (await download.read()).chunk
    await account.fault(kind="delay", delay=0.3, path="*/batches")
    unary = asyncio.ensure_future(call(gateway, "ListBatches"))
    await arrived(account, "GET", "/batches")
    (old,) = gateway.application._providers

    reload(gateway, providers={"one": profile(other)})
    assert await other.requests() == []
    await call(gateway, "ListFiles")
    assert len(await other.requests()) == 1
    await unary
    assert gateway.application._providers._retired.keys() == {old}
    await upload.write(file_service_pb2.UploadFileRequest(chunk=b"the end"))
    await upload.done_writing()
    assert (await upload).file.size_bytes == 5007
    got += b"".join([piece.chunk for piece in await rest_of(download)])
    assert got == content
    await all_closed(gateway)
    with pytest.raises(RuntimeError, match="closed"):
        await old.get_file(file.id)
    assert await other.file_ids() == []
    await gateway.application.stop(0)
    await no_task_but(before)


async def test_a_creation_goes_on_without_its_caller_and_behind_a_reload(
    account: Account, other: Account, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only at the end of the process is it not waited for any longer.
    monkeypatch.setattr(background, "SETTLE_SECONDS", 0.01)
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    file = (await gateway.upload(line("a"))).file
    await account.fault(kind="delay", delay=0.3, method="POST", path="*/batches")
    request = pb.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", request_id="r"
    )
    creating = asyncio.ensure_future(gateway.batches.CreateBatch(request))
    await arrived(account, "POST", "/batches")
    creating.cancel()
    reload(gateway, providers={"one": profile(other)})
    (old,) = gateway.application._providers._retired
    await all_closed(gateway)
    await uploads_over(account)
    fresh = open_transport(max_connections=1)
    async with httpx.AsyncClient(transport=fresh) as client:
        answer = await client.get(
            f"{account.url}/v1/batches", headers={"authorization": f"Bearer {account.key}"}
        )
    assert len(answer.json()["data"]) == 1
    assert old.name == "one"


async def test_a_profile_that_cannot_be_opened_changes_nothing(
    account: Account, other: Account, open_gateway: OpenGateway
) -> None:
    def transport(one: Profile) -> httpx.AsyncBaseTransport:
        if one.name == "z":
            raise ConfigurationError([])
        return shared_tls_transport(one)

    gateway = await open_gateway({"providers": {"one": profile(account)}}, transport=transport)
    before = tasks()
    with pytest.raises(ConfigurationError):
        reload(gateway, providers={"a": profile(other), "one": profile(other), "z": profile(other)})
    await all_closed(gateway)
    await call(gateway, "ListFiles")
    assert len(await account.requests()) == 1
    assert (await failed(gateway, "ListFiles", provider="a")).reason == "PROVIDER_UNKNOWN"
    await no_task_but(before)


async def test_many_reloads_leave_nothing(
    account: Account, other: Account, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    before = tasks()
    for number in range(50):
        reload(gateway, providers={"one": profile((account, other)[number % 2])})
        await call(gateway, "ListFiles")
    await all_closed(gateway)
    await no_task_but(before)
    assert (len(await account.requests()), len(await other.requests())) == (25, 25)


# --------------------------------------------------------------------------- watches


class Keys:
    """A provider that knows any batch, two in its list, and some keys."""

    def __init__(self) -> None:
        self.known = {"sk-1"}
        self.status = "in_progress"
        self.seen: list[str] = []
        self.gates: dict[str, asyncio.Event] = {}

    def transport(self, profile: Profile) -> httpx.AsyncBaseTransport:
        assert isinstance(profile, OpenAIProfile)
        key = profile.api_key.get_secret_value() if profile.api_key else "of a caller"

        async def answer(request: httpx.Request) -> httpx.Response:
            asked = f"{key} {request.url.path.rpartition('/')[2]}"
            self.seen.append(asked)
            if asked in self.gates:
                await self.gates[asked].wait()
            if key not in self.known:
                return httpx.Response(401, json={"error": {"message": "no such key"}})
            if request.url.path.endswith("/content"):
                return httpx.Response(200, content=b'{"custom_id": "a", "response": {}}\n')
            name = request.url.path.rpartition("/")[2]
            names = ("batch_1", "batch_2") if name == "batches" else (name,)
            state = {"status": self.status, "output_file_id": "file-1"}
            batches = [{"id": one, **state} for one in names]
            return httpx.Response(200, json={"data": batches} if name == "batches" else batches[0])

        return httpx.MockTransport(answer)


@pytest.fixture
def keys() -> Keys:
    return Keys()


def keyed(key: str, **more: object) -> dict[str, object]:
    return {"kind": "openai", "base_url": "http://provider.test/v1", "api_key": key, **more}


@pytest.fixture
def open_keyed(keys: Keys, open_gateway: OpenGateway) -> Callable[[], Awaitable[Gateway]]:
    async def open_one(**watch: float) -> Gateway:
        settings = {"providers": {"one": keyed("sk-1")}, "watch": watch or FAST}
        return await open_gateway(settings, transport=keys.transport)

    return open_one


OpenKeyed = Callable[..., Awaitable[Gateway]]


def watching(gateway: Gateway, **options: Any) -> Any:
    return gateway.batches.WatchBatch(WATCH, **options)


WATCH = pb.WatchBatchRequest(batch_id="batch_1")


async def test_a_rotated_key_counts_at_once_for_a_watch(keys: Keys, open_keyed: OpenKeyed) -> None:
    gateway = await open_keyed()
    watch = watching(gateway)
    assert (await watch.read()).batch.id == "batch_1"
    # A look is under way with the old key when the new one comes, and is refused afterwards.
    gate = keys.gates["sk-1 batch_1"] = asyncio.Event()
    looks = len(keys.seen)
    await eventually(lambda: len(keys.seen) > looks)
    keys.known, keys.status = {"sk-2"}, "completed"
    reload(gateway, providers={"one": keyed("sk-2")}, watch=FAST)
    assert gateway.application._providers._retired, "the look still uses the old one"
    gate.set()
    change = await watch.read()
    assert change.batch.status_text == "completed"
    assert await watch.read() is grpc.aio.EOF
    assert keys.seen[-1] == "sk-2 batch_1"
    await all_closed(gateway)


async def test_a_list_with_the_old_key_says_nothing_of_the_new(
    keys: Keys, open_keyed: OpenKeyed
) -> None:
    gateway = await open_keyed()
    other = pb.WatchBatchRequest(batch_id="batch_2")
    watches = [gateway.batches.WatchBatch(one) for one in (WATCH, other)]
    gate = keys.gates["sk-1 batches"] = asyncio.Event()
    await watches[0].read()
    await eventually(lambda: "sk-1 batches" in keys.seen)
    keys.known, keys.status = {"sk-2"}, "completed"
    reload(gateway, providers={"one": keyed("sk-2")}, watch=FAST)
    gate.set()
    change: Any = await watches[0].read()
    assert change.batch.status_text == "completed"


async def test_what_was_wrong_with_the_old_one_is_not_waited_for(
    keys: Keys, open_keyed: OpenKeyed
) -> None:
    """A watch that looks again in 100 s since nothing could be reached looks at once."""
    gateway = await open_keyed(**SLOW)

    def broken(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    (old,) = gateway.application._providers
    old.rest._transport = httpx.MockTransport(broken)
    watch = watching(gateway)
    reading: asyncio.Task[Any] = asyncio.create_task(watch.read())
    poller = await eventually(lambda: gateway.application._watching._pollers.get("one"))
    await eventually(lambda: poller._fault)
    keys.known = {"sk-2"}
    reload(gateway, providers={"one": keyed("sk-2")}, watch=SLOW)
    answer: Any = await asyncio.wait_for(reading, 10)
    assert answer.batch.status_text == "in_progress"
    watch.cancel()


async def test_the_watches_of_a_profile_that_is_gone_end_at_once(
    keys: Keys, open_keyed: OpenKeyed
) -> None:
    gateway = await open_keyed(**SLOW)
    watch = watching(gateway)
    await watch.read()
    waiting = asyncio.ensure_future(
        gateway.batches.WaitBatch(pb.WaitBatchRequest(batch_id="batch_1"))
    )
    await eventually(lambda: len(gateway.application._draining._running) == 2)
    reload(gateway, providers={"two": keyed("sk-1")}, watch=SLOW)
    for one in (watch.read(), waiting):
        failure = await asyncio.wait_for(ended(one), 10)
        assert (failure.reason, failure.code) == ("PROVIDER_UNKNOWN", "NOT_FOUND")
        # Who has watched may not know of the others.
        assert failure.message == "the configuration has no provider 'one' any more"
    await all_closed(gateway)
    # And one of that name that comes again is watched anew.
    reload(gateway, providers={"one": keyed("sk-1")}, watch=SLOW)
    watch = watching(gateway)
    assert (await watch.read()).batch.id == "batch_1"
    watch.cancel()


@pytest.mark.parametrize("before_the_watch", [False, True])
async def test_results_that_are_waited_for_come_with_the_new_key(
    keys: Keys, open_keyed: OpenKeyed, before_the_watch: bool
) -> None:
    gateway = await open_keyed()
    request = pb.StreamBatchResultsRequest(batch_id="batch_1", wait_until_done=True)
    gate = asyncio.Event()
    if before_the_watch:
        # It has asked with the old key, and does not watch yet.
        keys.gates["sk-1 batch_1"] = gate
        keys.known = {"sk-1", "sk-2"}
    stream: Any = gateway.batches.StreamBatchResults(request)
    reading = asyncio.ensure_future(stream.read())
    await eventually(lambda: keys.seen)
    if before_the_watch:
        reload(gateway, providers={"one": keyed("sk-2")}, watch=FAST)
        gate.set()
        await eventually(lambda: "sk-2 batch_1" in keys.seen)
    else:
        await eventually(lambda: len(keys.seen) > 1)
        keys.known = {"sk-2"}
        reload(gateway, providers={"one": keyed("sk-2")}, watch=FAST)
    keys.status = "completed"
    messages = [await reading, *await rest_of(stream)]
    assert [row.custom_id for message in messages for row in message.results] == ["a"]
    assert keys.seen[-1] == "sk-2 content"
    await all_closed(gateway)


async def test_a_watch_does_not_go_on_with_the_key_of_another(
    keys: Keys, open_keyed: OpenKeyed
) -> None:
    gateway = await open_keyed(**SLOW)
    watch = watching(gateway)
    await watch.read()
    of_callers = {**keyed("sk-1"), "caller_credentials": True}
    del of_callers["api_key"]
    reload(gateway, providers={"one": of_callers}, watch=SLOW)
    failure = await ended(watch.read())
    assert failure.message == "one takes other credentials now; watch again"


async def test_the_pace_of_watching_changes(keys: Keys, open_keyed: OpenKeyed) -> None:
    gateway = await open_keyed(**SLOW)
    watch = watching(gateway)
    await watch.read()
    fast = {**FAST, "heartbeat_seconds": 0.02}
    reload(gateway, providers={"one": keyed("sk-1")}, watch=fast)
    # One who watches from now on makes the gateway look, and it goes on at the new pace.
    second = watching(gateway)
    await second.read()
    await eventually(lambda: len(keys.seen) > 3)
    heartbeat: Any = await asyncio.wait_for(second.read(), 10)
    assert heartbeat.event == pb.WATCH_EVENT_HEARTBEAT
    keys.status = "completed"
    for one in (watch, second):
        assert (await rest_of(one))[-1].batch.status_text == "completed"


# --------------------------------------------------------------------------- callers


def caller(token: str, **more: object) -> dict[str, object]:
    return {"token_sha256": [digest(token)], **more}


def shown(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


async def test_calls_of_a_caller_that_is_gone_are_ended(
    account: Account, open_gateway: OpenGateway
) -> None:
    provider = {"providers": {"one": profile(account)}, "watch": SLOW}
    stay, go = caller("bg_stays"), caller("bg_goes")
    gateway = await open_gateway({**provider, "callers": {"stay": stay, "go": go}})
    upload = await gateway.files.UploadFile(
        upload_messages(line("a"), filename="a.jsonl", purpose="batch"),
        metadata=shown("bg_goes"),
    )
    create = pb.CreateBatchRequest(
        input_file_id=upload.file.id, endpoint="/v1/chat/completions", metadata=STALLED
    )
    batch = (await gateway.batches.CreateBatch(create, metadata=shown("bg_goes"))).batch
    request = pb.WatchBatchRequest(batch_id=batch.id)
    gone = gateway.batches.WatchBatch(request, metadata=shown("bg_goes"))
    kept = gateway.batches.WatchBatch(request, metadata=shown("bg_stays"))
    await gone.read()
    await kept.read()
    await account.fault(kind="hang", method="POST", path="*/batches")
    creating = asyncio.ensure_future(gateway.batches.CreateBatch(create, metadata=shown("bg_goes")))
    await eventually(lambda: len(gateway.application._draining._running) == 3)
    await arrived(account, "POST", "/batches")
    running = gateway.application._draining._running
    await eventually(lambda: [one for one in running.values() if one.creating])

    reload(gateway, **provider, callers={"stay": stay})
    failure = await ended(gone.read())
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert failure.message == "go is not known here any more"
    failure = await ended(creating)
    assert (failure.code, failure.reason) == ("UNKNOWN", "OUTCOME_UNKNOWN")
    assert failure.message.startswith("go is not known here any more, and the batch may have been")
    failure = await ended(gateway.files.ListFiles(file_service_pb2.ListFilesRequest()))
    assert failure.reason == "CALLER_UNAUTHENTICATED"
    assert (await failed(gateway, "ListFiles", _metadata=shown("bg_goes"))).code == (
        "UNAUTHENTICATED"
    )
    await call(gateway, "ListFiles", _metadata=shown("bg_stays"))
    assert not kept.done()
    kept.cancel()


@pytest.mark.parametrize(
    ("less", "message"),
    [
        ({"allow": ["files.read"]}, "one may not do this: it needs batches.read"),
        ({"providers": ["two"]}, "one may not use one any more"),
    ],
)
async def test_calls_that_a_caller_may_not_make_any_more_are_ended(
    account: Account, open_gateway: OpenGateway, less: dict[str, Any], message: str
) -> None:
    both = {"one": profile(account), "two": profile(account)}
    base = {"providers": both, "default_provider": "one", "watch": SLOW}
    gateway = await open_gateway(
        {**base, "callers": {"one": caller("bg_one"), "other": caller("bg_other")}}
    )
    upload = await gateway.files.UploadFile(
        upload_messages(line("a"), filename="a.jsonl", purpose="batch"), metadata=shown("bg_one")
    )
    create = pb.CreateBatchRequest(
        input_file_id=upload.file.id, endpoint="/v1/chat/completions", metadata=STALLED
    )
    batch = (await gateway.batches.CreateBatch(create, metadata=shown("bg_one"))).batch
    request = pb.WatchBatchRequest(batch_id=batch.id)
    watches = {
        name: gateway.batches.WatchBatch(request, metadata=shown(f"bg_{name}"))
        for name in ("one", "other")
    }
    for watch in watches.values():
        await watch.read()
    reload(gateway, **base, callers={"one": caller("bg_one", **less), "other": caller("bg_other")})
    failure = await ended(watches["one"].read())
    assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "CALLER_NOT_PERMITTED")
    assert failure.message == message
    assert not watches["other"].done()
    watches["other"].cancel()


async def test_who_came_without_a_credential_is_ended_when_one_is_needed(
    account: Account, open_gateway: OpenGateway
) -> None:
    provider = {"providers": {"one": profile(account)}, "watch": SLOW}
    gateway = await open_gateway(provider)
    batch = await created(gateway, line("a"), metadata=STALLED)
    watch = gateway.batches.WatchBatch(pb.WatchBatchRequest(batch_id=batch.id))
    await watch.read()
    reload(gateway, **provider, callers={"team": caller("bg_1")})
    assert (await ended(watch.read())).reason == "CALLER_UNAUTHENTICATED"
    watch = gateway.batches.WatchBatch(
        pb.WatchBatchRequest(batch_id=batch.id), metadata=shown("bg_1")
    )
    await watch.read()
    # Nobody is a caller any more: whoever calls is the anonymous one.
    reload(gateway, **provider)
    assert (await ended(watch.read())).reason == "CALLER_UNAUTHENTICATED"
    await call(gateway, "ListFiles")


async def test_permissions_limits_and_tokens_change(
    account: Account, open_gateway: OpenGateway
) -> None:
    provider = {"providers": {"one": profile(account)}}
    gateway = await open_gateway({**provider, "callers": {"team": caller("bg_1")}})
    await call(gateway, "ListFiles", _metadata=shown("bg_1"))
    both = {"token_sha256": [digest("bg_1"), digest("bg_2")]}
    reload(gateway, **provider, callers={"team": both})
    for token in ("bg_1", "bg_2"):
        await call(gateway, "ListFiles", _metadata=shown(token))
    reload(gateway, **provider, callers={"team": caller("bg_2", allow=["batches.read"])})
    failure = await failed(gateway, "ListFiles", _metadata=shown("bg_1"))
    assert failure.reason == "CALLER_UNAUTHENTICATED"
    failure = await failed(gateway, "ListFiles", _metadata=shown("bg_2"))
    assert failure.reason == "CALLER_NOT_PERMITTED"
    reload(gateway, **provider, callers={"team": caller("bg_2", calls_per_second=0.001)})
    await call(gateway, "ListFiles", _metadata=shown("bg_2"))
    failure = await failed(gateway, "ListFiles", _metadata=shown("bg_2"))
    assert failure.reason == "CALLER_LIMIT"


async def test_what_needs_a_restart_stays(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway({"providers": profiles(account), "default_provider": "openai"})
    new = load_settings(
        environment={},
        overrides={
            "listen": "127.0.0.1:1",
            "providers": profiles(account),
            "default_provider": "azure",
            "server": {"shutdown_grace_seconds": 7.0, "max_message_bytes": 2000},
        },
    )
    late = {"listen", "server.max_message_bytes"}
    changes = gateway.application.reload(new)
    assert {one.setting for one in changes if one.needs_restart} == late
    # Each time anew, until there is a restart.
    assert {one.setting for one in gateway.application.reload(new)} == late
    await gateway.upload(bytes(500_000), chunk=100_000)
    await call(gateway, "ListFiles")
    assert gateway.application.settings.server.shutdown_grace_seconds == 7.0
    last = (await account.requests())[-1]
    assert last["path"].startswith("/openai")


async def test_what_is_asked_while_it_loads_is_done_once_afterwards(
    account: Account, open_gateway: OpenGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reloading_module, "configure_logs", lambda *_, **__: None)
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    settings = gateway.application._settings
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def load() -> Settings:
        begun.release()
        assert go_on.acquire(timeout=10)
        return settings

    reloading = Reloading(gateway.application, load)
    running = asyncio.create_task(reloading.run())
    reloading.ask()
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    for _ in range(3):
        reloading.ask()
    # Calls go on meanwhile.
    await call(gateway, "ListFiles")
    go_on.release()
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    go_on.release()
    assert not await asyncio.to_thread(begun.acquire, timeout=0.1)
    running.cancel()


async def test_a_defect_while_loading_is_no_end(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway({"providers": {"one": profile(account)}})
    loads: list[int] = []

    def load() -> Settings:
        loads.append(1)
        raise ZeroDivisionError

    reloading = Reloading(gateway.application, load)
    running = asyncio.create_task(reloading.run())
    with capture_logs() as lines:
        for number in (1, 2):
            reloading.ask()
            await eventually(lambda number=number: len(lines) == 2 * number)  # type: ignore[misc]
    assert len(loads) == 2
    assert lines[1]["problems"] == ["internal error"]
    await call(gateway, "ListFiles")
    running.cancel()
