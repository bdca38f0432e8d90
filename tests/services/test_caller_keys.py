"""Callers' own keys: used for their call alone, shared with nobody, and shown to nobody."""

import asyncio
import gc
import uuid
from collections.abc import Awaitable
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2, provider_service_pb2
from batchgate_server.call import Call
from batchgate_server.callers.provider_key import ProviderKey
from batchgate_server.settings import load_settings
from tests.conftest import Account, Gateway, OpenGateway, upload_messages
from tests.secret_search import secret
from tests.services.calls import OF_PROVIDERS, call, failed
from tests.status import Failure, failure_of
from tests.waiting import arrived, eventually

ENDPOINT = "/v1/chat/completions"
LINE = (
    b'{"custom_id": "one", "method": "POST", "url": "/v1/chat/completions",'
    b' "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}}\n'
)
Metadata = tuple[tuple[str, str], ...]


def with_key(key: str) -> Metadata:
    return (("x-provider-key", key),)


def own_profile(base_url: str) -> dict[str, Any]:
    return {"kind": "openai", "base_url": base_url, "caller_credentials": True}


@pytest.fixture
def other(account: Account) -> Account:
    """Another caller's account."""
    return Account(key=secret(f"sk-{uuid.uuid4().hex}"), url=account.url)


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    """`own` and `own-azure` are called with callers' keys, `shared` with the gateway's."""
    return await open_gateway(
        {
            "default_provider": "own",
            "providers": {
                "own": {
                    "kind": "openai",
                    "base_url": f"{account.url}/v1",
                    "caller_credentials": True,
                },
                "own-azure": {
                    "kind": "azure_openai",
                    "endpoint": account.url,
                    "caller_credentials": True,
                },
                "shared": {
                    "kind": "openai",
                    "base_url": f"{account.url}/v1",
                    "api_key": "sk-of-the-gateway",
                },
            },
            "watch": {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02},
        }
    )


async def uploaded(gateway: Gateway, account: Account, provider: str = "own") -> str:
    messages = upload_messages(LINE, filename="a.jsonl", purpose="batch", provider=provider)
    answer = await gateway.files.UploadFile(messages, metadata=with_key(account.key))
    file_id: str = answer.file.id
    return file_id


async def created(gateway: Gateway, account: Account, **fields: Any) -> str:
    file_id = await uploaded(gateway, account)
    request = pb.CreateBatchRequest(input_file_id=file_id, endpoint=ENDPOINT, **fields)
    answer = await gateway.batches.CreateBatch(request, metadata=with_key(account.key))
    batch_id: str = answer.batch.id
    return batch_id


async def failure_in(awaitable: Awaitable[Any]) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable
    return failure_of(caught.value)


@pytest.mark.parametrize("provider", ["own", "own-azure"])
async def test_each_caller_sees_its_own_account(
    gateway: Gateway, account: Account, other: Account, provider: str
) -> None:
    """Uploads, downloads and lists in turn and at once, over one gateway's connections."""
    ids = {}
    for one in (account, other, account):
        ids[one.key] = await uploaded(gateway, one, provider)

    async def listed(one: Account) -> set[str]:
        answer = await call(gateway, "ListFiles", provider=provider, _metadata=with_key(one.key))
        return {file.id for file in answer.files}

    for _ in range(5):
        for one, found in zip(
            (account, other), await asyncio.gather(listed(account), listed(other)), strict=True
        ):
            assert ids[one.key] in found
            assert found == set(await one.file_ids(azure=provider == "own-azure"))
    request = file_service_pb2.DownloadFileRequest(provider=provider, file_id=ids[other.key])
    failure = await failure_in(
        gateway.files.DownloadFile(request, metadata=with_key(account.key)).read()
    )
    assert failure.reason == "PROVIDER_NOT_FOUND"


@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_without_a_key_it_is_asked_for(gateway: Gateway, name: str) -> None:
    failure = await failed(gateway, name)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert "send it as the metadata x-provider-key" in failure.message


@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_a_key_for_a_profile_with_its_own_is_refused(
    gateway: Gateway, account: Account, name: str
) -> None:
    """Its owner would believe to be the one who pays."""
    failure = await failed(gateway, name, provider="shared", _metadata=with_key(account.key))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert "x-provider-key" in failure.fields
    assert account.key not in str(failure)


@pytest.mark.parametrize(
    "metadata", [with_key("Bearer sk-1"), with_key(""), with_key("sk-1") + with_key("sk-2")]
)
async def test_a_key_that_is_none(gateway: Gateway, metadata: Metadata) -> None:
    failure = await failed(gateway, "GetBatch", _metadata=metadata)
    assert failure.reason == "INVALID_FIELD"
    assert list(failure.fields) == ["x-provider-key"]
    assert "sk-" not in str(failure)


async def test_a_refused_key_is_the_caller_s_and_not_told(
    gateway: Gateway, account: Account
) -> None:
    """Nor does it make the provider unhealthy for the others."""
    await call(gateway, "ListFiles", _metadata=with_key(account.key))
    key = "word-of-a-caller"
    refused = Account(key=key, url=account.url)
    said = {"error": {"message": f"Incorrect API key provided: {key}"}}
    await refused.fault(kind="answer", status=401, body=said, times=None)
    failure = await failed(gateway, "GetBatch", _metadata=with_key(key))
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CREDENTIAL_REJECTED")
    assert failure.message == (
        "own refused the caller's own key (x-provider-key): Incorrect API key provided: [redacted]"
    )
    assert len(await refused.requests()) == 1
    providers = await gateway.providers.ListProviders(
        provider_service_pb2.ListProvidersRequest(check_health=True), metadata=with_key(key)
    )
    states = {one.name: one.health.state for one in providers.providers}
    assert states["own"] == provider_service_pb2.PROVIDER_HEALTH_STATE_HEALTHY


async def test_health_without_a_key_is_not_asked_of_such_a_profile(
    gateway: Gateway,
) -> None:
    answer = await call(gateway, "ListProviders", check_health=True)
    states = {one.name: one.health.state for one in answer.providers}
    assert states["own"] == provider_service_pb2.PROVIDER_HEALTH_STATE_UNSPECIFIED


async def test_health_asks_nobody_with_a_key_that_may_be_for_another(
    gateway: Gateway, account: Account
) -> None:
    answer = await call(
        gateway, "ListProviders", check_health=True, _metadata=with_key(account.key)
    )
    assert await account.requests() == []
    details = {one.name: one.health.detail for one in answer.providers}
    why = "not asked: the key (x-provider-key) may be for any of own, own-azure"
    assert (details["own"], details["own-azure"]) == (why, why)
    assert "not asked" not in details["shared"]


async def test_health_asks_the_only_profile_that_a_key_can_be_for(
    account: Account, open_gateway: OpenGateway
) -> None:
    gateway = await open_gateway({"providers": {"own": own_profile(f"{account.url}/v1")}})
    answer = await call(
        gateway, "ListProviders", check_health=True, _metadata=with_key(account.key)
    )
    assert len(await account.requests()) == 1
    (one,) = answer.providers
    assert one.health.state == provider_service_pb2.PROVIDER_HEALTH_STATE_HEALTHY
    assert one.health.detail == ""


@pytest.mark.parametrize("change", [{"base_url": "http://127.0.0.2:1/v1"}, {"retries": 1}])
async def test_a_watch_takes_no_key_to_another_address(
    account: Account, open_gateway: OpenGateway, change: dict[str, Any]
) -> None:
    """The configuration is read again, and calls another vendor by the same name."""
    own = own_profile(f"{account.url}/v1")
    document: dict[str, Any] = {
        "providers": {"own": own},
        "watch": {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02},
    }
    gateway = await open_gateway(document)
    batch_id = await created(gateway, account)
    await account.settings(step_seconds=3600)
    watch = gateway.batches.WatchBatch(
        pb.WatchBatchRequest(batch_id=batch_id), metadata=with_key(account.key)
    )
    await watch.read()
    listen = gateway.application.settings.listen
    new = document | {"providers": {"own": own | change}, "listen": listen}
    gateway.application.reload(load_settings(environment={}, overrides=new))
    if "base_url" in change:
        failure = await failure_in(watch.read())
        assert failure.reason == "PROVIDER_UNKNOWN"
        assert "watch again if your key is for that" in failure.message
    else:
        asked = len(await account.requests())

        async def goes_on() -> bool:
            return len(await account.requests()) > asked

        await eventually(goes_on)
        watch.cancel()


async def test_watches_are_shared_by_those_with_one_key_only(
    gateway: Gateway, account: Account, other: Account
) -> None:
    batch_id = await created(gateway, account)
    # The other account has no such batch, and must not see it by the first one's looks.
    await account.settings(step_seconds=3600)
    request = pb.WatchBatchRequest(batch_id=batch_id)
    watches: list[Any] = [
        gateway.batches.WatchBatch(request, metadata=with_key(account.key)) for _ in range(2)
    ]
    assert [(await watch.read()).batch.id for watch in watches] == [batch_id, batch_id]
    failure = await failure_in(
        gateway.batches.WatchBatch(request, metadata=with_key(other.key)).read()
    )
    assert failure.reason == "PROVIDER_NOT_FOUND"
    failure = await failure_in(
        gateway.batches.WaitBatch(
            pb.WaitBatchRequest(batch_id=batch_id), metadata=with_key(other.key)
        )
    )
    assert failure.reason == "PROVIDER_NOT_FOUND"
    pollers = gateway.application._watching._pollers
    assert len(pollers) == 1, "the first two share one, and the other's is gone"
    assert not any(account.key in name for name in pollers)
    for watch in watches:
        watch.cancel()
    await eventually(lambda: not pollers)


async def test_a_request_id_is_each_key_s_own(
    gateway: Gateway, account: Account, other: Account
) -> None:
    """At the same time too: neither gets the other's batch."""
    files = {one.key: await uploaded(gateway, one) for one in (account, other)}

    def create(one: Account) -> Any:
        request = pb.CreateBatchRequest(
            input_file_id=files[one.key], endpoint=ENDPOINT, request_id="the same"
        )
        return gateway.batches.CreateBatch(request, metadata=with_key(one.key))

    answers = await asyncio.gather(*(create(one) for one in (account, other) * 5))
    ids = [answer.batch.id for answer in answers]
    assert len(set(ids[::2])) == len(set(ids[1::2])) == 1
    assert ids[0] != ids[1]


async def test_a_creation_that_outlives_its_caller_ends_with_the_caller_s_key(
    gateway: Gateway, account: Account
) -> None:
    """Its answer is lost after the caller has gone, and the gateway looks for the batch."""
    file_id = await uploaded(gateway, account)
    lost = {"kind": "reset", "process": True, "delay": 0.2, "read_bytes": None}
    await account.fault(method="POST", path="*/batches", **lost)
    request = pb.CreateBatchRequest(input_file_id=file_id, endpoint=ENDPOINT, request_id="one")
    creating = gateway.batches.CreateBatch(request, metadata=with_key(account.key))
    await arrived(account, "POST", "/batches")
    creating.cancel()
    with capture_logs() as logs:
        await eventually(
            lambda: [one for one in logs if "created after its caller" in one["event"]]
        )


async def test_submit_and_results_go_with_the_key(gateway: Gateway, account: Account) -> None:
    metadata = pb.SubmitBatchMetadata(endpoint=ENDPOINT, model="gpt-4o-mini", request_id="one")
    row = pb.BatchLine(custom_id="a", body_json='{"messages": []}')
    messages = [
        pb.SubmitBatchRequest(metadata=metadata),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row])),
    ]
    answer = await gateway.batches.SubmitBatch(iter(messages), metadata=with_key(account.key))
    request = pb.StreamBatchResultsRequest(batch_id=answer.batch.id, wait_until_done=True)
    stream = gateway.batches.StreamBatchResults(request, metadata=with_key(account.key))
    assert [row.custom_id async for message in stream for row in message.results] == ["a"]


@pytest.mark.parametrize("only_watched", [False, True])
async def test_no_key_is_kept_or_logged(
    gateway: Gateway, account: Account, *, only_watched: bool
) -> None:
    """Nothing that lives on after the calls holds it, such as the connections that a call opened."""
    key = secret(f"sk-{uuid.uuid4().hex}")
    mine = Account(key=key, url=account.url)
    batch = {"id": "batch_1", "status": "completed"}
    await mine.fault(kind="answer", status=200, body=batch, path="*/batches/batch_1", times=None)
    with capture_logs() as logs:
        batch_id = "batch_1"
        if not only_watched:
            batch_id = await created(gateway, mine, request_id="kept")
        watch = gateway.batches.WatchBatch(
            pb.WatchBatchRequest(batch_id=batch_id), metadata=with_key(key)
        )
        assert [message async for message in watch]
        if not only_watched:
            await failed(gateway, "GetFile", _metadata=with_key(key))
    assert any(entry["event"] == "rpc" for entry in logs)
    assert key not in str(logs)

    def holders() -> list[object]:
        gc.collect()
        return [
            one for one in gc.get_objects() if isinstance(one, ProviderKey) and one.secret == key
        ]

    # Sooner than an idle connection, and with it what knew its call, is gone by itself.
    await eventually(lambda: not holders(), timeout_seconds=3.5)
    for provider in gateway.application._providers:
        assert key not in repr(provider.rest._prepared)
        assert not any(
            key.encode() in value
            for _, headers in provider.rest._prepared.values()
            for _, value in headers.raw
        )


def test_it_does_not_print() -> None:
    call = Call(method="m", request_id="r", provider_key=ProviderKey("sk-secret"))
    assert "sk-secret" not in f"{call!r} {call} {call.account} {call.provider_key}"
    assert (
        call.account
        == Call(method="", request_id="", provider_key=ProviderKey("sk-secret")).account
    )
    assert (
        call.account != Call(method="", request_id="", provider_key=ProviderKey("sk-other")).account
    )


async def test_watches_of_several_keys_end_at_a_shutdown(
    gateway: Gateway, account: Account, other: Account
) -> None:
    watches = []
    for one in (account, other):
        batch_id = await created(gateway, one, metadata={"sandbox_outcome": "stalled"})
        watch = gateway.batches.WatchBatch(
            pb.WatchBatchRequest(batch_id=batch_id), metadata=with_key(one.key)
        )
        await watch.read()
        await one.fault(kind="hang", method="GET", path="*/batches/*", times=None)
        watches.append(watch)
    await gateway.application._watching.aclose()
    for watch in watches:
        assert (await failure_in(watch.read())).reason == "SERVER_DRAINING"
