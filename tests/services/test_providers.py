"""Which provider a request means, as whom it is called, and how it is."""

import time
import uuid
from typing import Any

import pytest

from batchgate.v1 import provider_service_pb2
from batchgate_server.providers import checking
from batchgate_server.rest.transport import open_transport
from tests.conftest import PROFILES, Account, Gateway, OpenGateway, profiles, tls
from tests.services.calls import CALLS, OF_PROVIDERS, call, failed
from tests.services.lines import create, lines

HEALTHY = provider_service_pb2.PROVIDER_HEALTH_STATE_HEALTHY
UNHEALTHY = provider_service_pb2.PROVIDER_HEALTH_STATE_UNHEALTHY
UNKNOWN = provider_service_pb2.PROVIDER_HEALTH_STATE_UNSPECIFIED


async def listed(gateway: Gateway, **fields: Any) -> dict[str, provider_service_pb2.Provider]:
    answer = await call(gateway, "ListProviders", **fields)
    return {provider.name: provider for provider in answer.providers}


# Selection


@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_no_provider_named_and_no_default(
    account: Account, open_gateway: OpenGateway, name: str
) -> None:
    """Never a silent fall-back: the message lists the profiles to choose from."""
    gateway = await open_gateway({"providers": profiles(account)})
    failure = await failed(gateway, name)
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "PROVIDER_REQUIRED")
    for provider in PROFILES:
        assert provider in failure.message
    assert await account.requests() == []


@pytest.mark.parametrize(
    "wanted", ["opnai", "OpenAI", " openai", "x" * 10_000, "größe\n"], ids=ascii
)
@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_an_unknown_provider(
    account: Account, gateway: Gateway, name: str, wanted: str
) -> None:
    failure = await failed(gateway, name, provider=wanted)
    assert (failure.code, failure.reason) == ("NOT_FOUND", "PROVIDER_UNKNOWN")
    assert "azure, azure-dated, azure-preview, openai" in failure.message
    assert len(failure.message) < 300
    assert await account.requests() == []


@pytest.mark.parametrize("default", PROFILES)
async def test_the_default_provider(
    account: Account, open_gateway: OpenGateway, default: str
) -> None:
    gateway = await open_gateway({"providers": profiles(account), "default_provider": default})
    batch = await create(gateway, "")
    assert batch.provider == default
    assert [name for name, each in (await listed(gateway)).items() if each.is_default] == [default]


async def test_the_only_profile_is_the_default(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway({"providers": {"azure": profiles(account)["azure"]}})
    assert (await create(gateway, "")).provider == "azure"
    assert (await listed(gateway))["azure"].is_default
    assert (await failed(gateway, "GetBatch", provider="openai")).reason == "PROVIDER_UNKNOWN"


# Credentials


@pytest.mark.parametrize("kind", ["openai", "azure", "azure-dated"])
async def test_two_profiles_of_one_kind(
    account: Account, open_gateway: OpenGateway, kind: str
) -> None:
    """Two profiles of one kind with two keys: every call uses the right one."""
    other = Account(key=f"sk-{uuid.uuid4().hex}", url=account.url)
    providers = {"one": profiles(account)[kind], "two": profiles(other)[kind]}
    gateway = await open_gateway({"providers": providers, "default_provider": "one"})
    expected = []
    for owner, name in ((account, "one"), (other, "two")):
        # So that the batch can still be cancelled, and its file needs no wait.
        await owner.settings(step_seconds=60, file_pending_seconds=0)
        batch = await create(gateway, name)
        for each in OF_PROVIDERS:
            ids = {"batch_id": batch.id, "file_id": batch.input_file_id}
            ids["input_file_id"] = batch.input_file_id
            known = CALLS[each][0].DESCRIPTOR.fields_by_name
            wanted = {key: value for key, value in ids.items() if key in known}
            # What exists for one key does not for the other.
            await call(gateway, each, provider=name, **wanted)
        expected.append(len(await owner.requests()))
    assert expected[0] == expected[1] >= len(OF_PROVIDERS) + 2
    scheme = "bearer" if kind == "openai" else "api-key"
    for owner in (account, other):
        assert {each["credential"] for each in await owner.requests()} == {scheme}
    both = "authorization" if kind != "openai" else "api-key"
    assert not any(both in each["header_names"] for each in await account.requests())


async def test_an_entra_token_is_a_bearer(account: Account, open_gateway: OpenGateway) -> None:
    azure = profiles(account)["azure"]
    azure["entra_token"] = azure.pop("api_key")
    gateway = await open_gateway({"providers": {"azure": azure}})
    await create(gateway, "azure")
    requests = await account.requests()
    assert {each["credential"] for each in requests} == {"bearer"}
    assert not any("api-key" in each["header_names"] for each in requests)


@pytest.mark.parametrize("tenancy", [("organization",), ("project",), ("organization", "project")])
async def test_organization_and_project_reach_every_call(
    account: Account, open_gateway: OpenGateway, tenancy: tuple[str, ...]
) -> None:
    openai = profiles(account)["openai"] | {name: f"{name}-7" for name in tenancy}
    gateway = await open_gateway({"providers": {"openai": openai}})
    batch = await create(gateway, "openai")
    for name in OF_PROVIDERS:
        await account.fault(kind="answer", status=200, body={"id": batch.id, "data": []})
        await call(gateway, name)
    await gateway.download(batch.input_file_id)
    requests = await account.requests()
    assert len(requests) == len(OF_PROVIDERS) + 3
    for request in requests:
        sent = {key for key in request["headers"] if key.startswith("openai-")}
        assert sent == {f"openai-{name}" for name in tenancy}
        for name in tenancy:
            assert request["headers"][f"openai-{name}"] == f"{name}-7"


async def test_no_tenancy_unless_configured(account: Account, gateway: Gateway) -> None:
    for provider in PROFILES:
        await call(gateway, "ListFiles", provider=provider)
    for request in await account.requests():
        assert not [name for name in request["header_names"] if name.startswith("openai-")]


async def test_callers_cannot_add_headers_upstream(account: Account, gateway: Gateway) -> None:
    """Metadata of the RPC stays here: no credential or tenancy of a caller's own goes on."""
    given = [
        ("authorization", "Bearer other"),
        ("api-key", "other"),
        ("openai-organization", "other"),
        ("x-anything", "other"),
    ]
    await call(gateway, "ListFiles", _metadata=given)
    (request,) = await account.requests()
    assert not {"api-key", "openai-organization", "x-anything"} & set(request["header_names"])


@pytest.mark.parametrize("provider", PROFILES)
async def test_the_api_version_is_on_every_call(
    account: Account, gateway: Gateway, provider: str
) -> None:
    """Azure OpenAI's dated editions take `api-version`, also where there are other parameters."""
    await create(gateway, provider)
    await call(gateway, "ListFiles", provider=provider, purpose="batch", page_size=2)
    await call(gateway, "ListBatches", provider=provider, page_size=2)
    version = {"azure-dated": "2024-10-21", "azure-preview": "2025-04-01-preview"}.get(provider)
    for request in await account.requests():
        given = [part for part in request["query"].split("&") if part.startswith("api-version=")]
        assert given == ([f"api-version={version}"] if version else [])


# ListProviders


async def test_what_is_listed(account: Account, open_gateway: OpenGateway) -> None:
    configured = profiles(account)
    configured["openai"] |= {"max_batch_file_bytes": 1000, "organization": "secret-org"}
    configured["azure"] |= {"max_upload_bytes": 500}
    gateway = await open_gateway({"providers": configured, "default_provider": "azure"})
    answer = await call(gateway, "ListProviders")
    assert [provider.name for provider in answer.providers] == list(configured)
    providers = await listed(gateway)
    kinds = {name: provider.kind for name, provider in providers.items()}
    assert kinds.pop("openai") == provider_service_pb2.PROVIDER_KIND_OPENAI
    assert set(kinds.values()) == {provider_service_pb2.PROVIDER_KIND_AZURE_OPENAI}
    assert [provider.api_version for provider in answer.providers] == [
        "",
        "v1",
        "2024-10-21",
        "2025-04-01-preview",
    ]
    assert {provider.api_host for provider in answer.providers} == {
        account.url.removeprefix("http://")
    }
    assert providers["openai"].limits.max_batch_file_bytes == 1000
    assert providers["openai"].limits.max_requests_per_batch == 50_000
    assert providers["azure"].limits.max_batch_file_bytes == 500
    assert providers["azure"].limits.max_requests_per_batch == 100_000
    # Nothing was asked, so nothing is known.
    assert {provider.health.state for provider in answer.providers} == {UNKNOWN}
    assert not any(provider.health.HasField("checked_at") for provider in answer.providers)
    assert await account.requests() == []


async def test_nothing_secret_is_listed(account: Account, open_gateway: OpenGateway) -> None:
    configured = profiles(account)
    configured["openai"] |= {"organization": "org-7", "project": "proj-7"}
    gateway = await open_gateway({"providers": configured})
    error = {"error": {"message": f"Incorrect API key provided: {account.key}"}}
    await account.fault(kind="answer", status=401, body=error, times=None)
    shown = str(await call(gateway, "ListProviders", check_health=True))
    assert "[redacted]" in shown
    for secret in (account.key, "org-7", "proj-7"):
        assert secret not in shown


async def test_health_is_seen_by_the_way(account: Account, gateway: Gateway) -> None:
    """Each call tells how its provider is, and errors that are the caller's tell nothing bad."""
    before = time.time()
    await call(gateway, "ListFiles", provider="azure")
    await failed(gateway, "GetFile", provider="openai", file_id="file-none")
    await account.fault(kind="answer", status=500, body={"error": {"message": "Oops"}}, times=3)
    await failed(gateway, "GetFile", provider="azure-dated")
    providers = await listed(gateway)
    states = [providers[name].health.state for name in PROFILES]
    assert states == [HEALTHY, HEALTHY, UNHEALTHY, UNKNOWN]
    detail = "PROVIDER_UNAVAILABLE: azure-dated answered with the status 500"
    assert providers["azure-dated"].health.detail == detail
    assert providers["azure"].health.detail == ""
    assert before - 1 <= providers["azure"].health.checked_at.seconds <= time.time()

    await call(gateway, "ListFiles", provider="azure-dated")
    health = (await listed(gateway))["azure-dated"].health
    assert (health.state, health.detail) == (HEALTHY, "")


@pytest.mark.parametrize("before", [True, False])
async def test_what_is_forbidden_to_one_call_is_not_how_the_provider_is(
    account: Account, gateway: Gateway, *, before: bool
) -> None:
    """Nor is it told to the others."""
    if before:
        await call(gateway, "ListFiles", provider="openai")
    said = {"error": {"message": "the model of Project Bluebird is not for you"}}
    await account.fault(kind="answer", status=403, body=said)
    failure = await failed(gateway, "GetFile", provider="openai")
    assert "Bluebird" in failure.message
    health = (await listed(gateway))["openai"].health
    assert (health.state, health.detail) == (HEALTHY if before else UNKNOWN, "")


@pytest.mark.parametrize("failing", [500, 503])
async def test_what_a_provider_says_to_one_caller_is_not_told_to_others(
    account: Account, open_gateway: OpenGateway, failing: int
) -> None:
    """Neither as its health nor by the breaker."""
    configured = {"openai": profiles(account)["openai"]}
    configured["openai"] |= {"breaker_failures": 1, "breaker_after_seconds": 0.0, "retries": 0}
    gateway = await open_gateway({"providers": configured})
    said = {"error": {"message": "cannot read bluebird.jsonl", "code": "x"}}
    await account.fault(kind="answer", status=failing, body=said)
    assert "bluebird" in (await failed(gateway, "GetFile")).message
    health = (await listed(gateway))["openai"].health
    assert health.state == UNHEALTHY
    assert health.detail.startswith(
        f"PROVIDER_UNAVAILABLE: openai answered with the status {failing}"
    )
    assert "bluebird" not in health.detail
    refused = await failed(gateway, "ListFiles")
    assert "the last failure" in refused.message
    assert "bluebird" not in refused.message


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "answer", "status": 401}, "PROVIDER_CREDENTIAL_REJECTED"),
        ({"kind": "answer", "status": 403}, "PROVIDER_FORBIDDEN"),
        ({"kind": "answer", "status": 503}, "PROVIDER_UNAVAILABLE"),
        ({"kind": "reset"}, "PROVIDER_UNAVAILABLE"),
        ({"kind": "hang"}, "PROVIDER_TIMEOUT"),
        ({"kind": "answer", "status": 200, "body": "<html>"}, "PROVIDER_BAD_RESPONSE"),
        ({"kind": "answer", "status": 200, "body": '"hello"'}, "PROVIDER_BAD_RESPONSE"),
    ],
)
async def test_health_is_asked_for(
    account: Account, open_gateway: OpenGateway, fault: dict[str, Any], reason: str
) -> None:
    """Asking one that fails leaves the others alone; when it is well again, that is seen."""
    configured = profiles(account)
    configured["openai"] |= {"timeout_seconds": 0.5}
    gateway = await open_gateway({"providers": configured})
    await account.fault(path="/v1/*", **fault)
    providers = await listed(gateway, check_health=True)
    assert providers["openai"].health.state == UNHEALTHY
    assert providers["openai"].health.detail.startswith(f"{reason}: openai")
    others = {name: each.health.state for name, each in providers.items() if name != "openai"}
    assert set(others.values()) == {HEALTHY}

    providers = await listed(gateway, check_health=True)
    assert {provider.health.state for provider in providers.values()} == {HEALTHY}
    assert len(await account.requests()) == 2 * len(PROFILES)
    assert {each["method"] for each in await account.requests()} == {"GET"}


async def test_a_refused_key_is_unhealthy(account: Account, open_gateway: OpenGateway) -> None:
    good, bad = profiles(account), profiles(Account(key="invalid", url=account.url))
    providers = {"good": good["openai"]} | {f"bad-{name}": bad[name] for name in PROFILES}
    gateway = await open_gateway({"providers": providers})
    seen = await listed(gateway, check_health=True)
    assert seen.pop("good").health.state == HEALTHY
    for provider in seen.values():
        assert provider.health.state == UNHEALTHY
        assert provider.health.detail.startswith("PROVIDER_CREDENTIAL_REJECTED: ")


async def test_each_profile_has_connections_of_its_own(
    account: Account, open_gateway: OpenGateway
) -> None:
    """One profile whose connections are all in use does not hold up another."""
    opened = []

    def transport(profile: Any) -> Any:
        opened.append(profile.name)
        return open_transport(verify=tls(), max_connections=profile.max_connections)

    configured = profiles(account)
    configured["openai"] |= {"max_connections": 1}
    gateway = await open_gateway({"providers": configured}, transport=transport)
    assert opened == list(PROFILES)
    await account.fault(kind="hang", path="/v1/batches")
    hanging = call(gateway, "ListBatches", provider="openai", _timeout=30)
    while not await account.requests():
        await call(gateway, "ListProviders")
    await gateway.upload(lines(1), provider="azure")
    hanging.cancel()


async def test_a_provider_that_hangs_does_not_hide_the_others(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "CHECK_SECONDS", 0.3)
    await account.fault(kind="hang", path="/v1/batches", times=None)
    providers = await listed(gateway, check_health=True)
    openai = providers.pop("openai").health
    assert openai.state == UNHEALTHY
    assert openai.detail == "PROVIDER_TIMEOUT: openai did not answer within 0.3 s"
    assert {other.health.state for other in providers.values()} == {HEALTHY}
