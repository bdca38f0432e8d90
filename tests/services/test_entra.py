"""Tokens of Microsoft Entra for every RPC, from a token service over real TLS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.settings import followed
from tests.certificates import Authority
from tests.conftest import Account, Gateway, OpenGateway
from tests.services.calls import OF_PROVIDERS, call, failed
from tests.status import failure_of
from tests.token_service import TokenService, token_service
from tests.upstream import http_proxy, server_tls
from tests.waiting import eventually

Open = Callable[..., Awaitable[Gateway]]
SECRET = "client-secret-of-the-application"
BATCH = {"id": "batch_1", "status": "in_progress", "endpoint": "/v1/chat/completions"}
VARIABLES = (
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "MSI_ENDPOINT",
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def entra(authority: Authority) -> AsyncIterator[TokenService]:
    async with token_service(server_tls(authority.issue("entra"))) as service:
        yield service


@pytest.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TokenService]:
    """Where a machine's managed identity is had; nothing else of this process's environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    async with token_service(None) as service:
        yield service


@pytest.fixture
def open_one(open_gateway: OpenGateway, sandbox: Any, authority: Authority) -> Open:
    """A function that opens a gateway whose one profile gets tokens like this."""

    async def open_one(entra: dict[str, Any], **profile: Any) -> Gateway:
        settings = {
            "kind": "azure_openai",
            "endpoint": sandbox.url,
            "ca_file": authority.file,
            "entra": entra,
            "retries": 0,
            **profile,
        }
        environment = settings.pop("environment", {})
        watch = {"first_poll_seconds": 0.01, "slowest_poll_seconds": 0.01}
        return await open_gateway(
            {"providers": {"azure": settings}, "watch": watch}, environment=environment
        )

    return open_one


def application(service: TokenService) -> dict[str, Any]:
    """The settings of an application with a secret."""
    return {
        "method": "client_secret",
        "authority": service.authority,
        "tenant_id": "tenant-1",
        "client_id": "client-1",
        "client_secret": SECRET,
    }


def account(service: TokenService, number: int, url: str) -> Account:
    """The sandbox's account for whoever comes with this token."""
    return Account(key=service.token(number), url=url)


async def test_a_client_secret(open_one: Open, entra: TokenService, sandbox: Any) -> None:
    gateway = await open_one(application(entra))
    for _ in range(3):
        await call(gateway, "ListFiles")
    (request,) = entra.requests
    assert request["path"] == "/tenant-1/oauth2/v2.0/token"
    assert request["grant_type"] == "client_credentials"
    assert request["client_id"] == "client-1"
    assert request["client_secret"] == SECRET
    assert request["scope"] == "https://cognitiveservices.azure.com/.default"
    requests = await account(entra, 1, sandbox.url).requests()
    assert [one["credential"] for one in requests] == ["bearer"] * 3


async def test_a_workload_identity(
    open_one: Open, entra: TokenService, sandbox: Any, tmp_path: Path
) -> None:
    """As Azure's webhook sets it up; the federated token is read anew for each token."""
    file = tmp_path / "federated"
    file.write_text("federated-1")
    environment = {
        "AZURE_TENANT_ID": "tenant-2",
        "AZURE_CLIENT_ID": "client-2",
        "AZURE_FEDERATED_TOKEN_FILE": str(file),
        "AZURE_AUTHORITY_HOST": f"{entra.authority}/",
    }
    gateway = await open_one({"method": "workload_identity"}, environment=environment)
    await call(gateway, "ListFiles")
    file.write_text("federated-2")
    await account(entra, 1, sandbox.url).fault(kind="answer", status=401, times=None)
    await call(gateway, "ListFiles")
    assert [one["client_assertion"] for one in entra.requests] == ["federated-1", "federated-2"]
    assert {one["path"] for one in entra.requests} == {"/tenant-2/oauth2/v2.0/token"}


@pytest.mark.parametrize("client_id", [None, "client-3"])
async def test_a_managed_identity_of_a_machine(
    open_one: Open,
    machine: TokenService,
    sandbox: Any,
    monkeypatch: pytest.MonkeyPatch,
    client_id: str | None,
) -> None:
    """The proxy on the way to the provider is not asked for it."""
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{machine.port}")
    settings = {"method": "managed_identity", "client_id": client_id}
    gateway = await open_one(settings, proxy_url="http://127.0.0.1:1")
    await call(gateway, "ListFiles")
    (request,) = machine.requests
    assert request["metadata"] == "true"
    assert request["resource"] == "https://cognitiveservices.azure.com"
    assert request.get("client_id") == client_id
    assert len(await account(machine, 1, sandbox.url).requests()) == 1


async def test_a_managed_identity_of_an_app_service(
    open_one: Open, machine: TokenService, sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{machine.port}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header-1")
    await call(await open_one({"method": "managed_identity"}), "ListFiles")
    (request,) = machine.requests
    assert request["x-identity-header"] == "header-1"
    assert len(await account(machine, 1, sandbox.url).requests()) == 1


@pytest.mark.parametrize("name", OF_PROVIDERS)
async def test_a_refused_token_is_replaced_and_the_call_repeated(
    open_one: Open, entra: TokenService, sandbox: Any, name: str
) -> None:
    first, second = account(entra, 1, sandbox.url), account(entra, 2, sandbox.url)
    await first.fault(kind="answer", status=401, times=None)
    body = {"data": [], "deleted": True, "status": "processed", "id": "batch_1"}
    await second.fault(kind="answer", status=200, body=body, times=None)
    await call(await open_one(application(entra)), name)
    paths = [[one["path"] for one in await each.requests()] for each in (first, second)]
    assert len(paths[0]) == 1
    assert paths[1][:1] == paths[0]


async def test_streams_too_get_a_new_token(
    open_one: Open, entra: TokenService, sandbox: Any
) -> None:
    first, second = account(entra, 1, sandbox.url), account(entra, 2, sandbox.url)
    for path, body in (
        ("*/files/file-1/content", '{"custom_id": "a", "response": {"status_code": 200}}\n'),
        ("*/batches/batch_1", {**BATCH, "status": "completed", "output_file_id": "file-1"}),
    ):
        await first.fault(kind="answer", status=401, path=path, times=None)
        await second.fault(kind="answer", status=200, body=body, path=path, times=None)
    assert b"custom_id" in await (await open_one(application(entra))).download("file-1")
    for name, request in (
        ("WatchBatch", pb.WatchBatchRequest(batch_id="batch_1")),
        ("StreamBatchResults", pb.StreamBatchResultsRequest(batch_id="batch_1")),
    ):
        entra.given = 0
        gateway = await open_one(application(entra))
        assert [message async for message in getattr(gateway.batches, name)(request)]
    entra.given = 0
    gateway = await open_one(application(entra))
    answer = await gateway.batches.WaitBatch(pb.WaitBatchRequest(batch_id="batch_1"))
    assert answer.done


async def test_an_upload_is_not_repeated_but_the_next_one_goes_well(
    open_one: Open, entra: TokenService, sandbox: Any
) -> None:
    gateway = await open_one(application(entra))
    await account(entra, 1, sandbox.url).fault(kind="answer", status=401, times=None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(b"{}\n")
    assert failure_of(caught.value).reason == "PROVIDER_CREDENTIAL_REJECTED"
    await gateway.upload(b"{}\n")
    assert len(await account(entra, 2, sandbox.url).file_ids(azure=True)) == 1


async def test_a_token_that_stays_refused_is_replaced_once(
    open_one: Open, entra: TokenService, sandbox: Any
) -> None:
    """As without the role: 401 whatever the token. The token service is not asked at each call."""
    for number in (1, 2):
        await account(entra, number, sandbox.url).fault(kind="answer", status=401, times=None)
    gateway = await open_one(application(entra))
    for _ in range(5):
        failure = await failed(gateway, "GetBatch")
        assert failure.reason == "PROVIDER_CREDENTIAL_REJECTED"
    assert len(entra.requests) == 2


async def test_one_request_for_a_token_however_many_wait(
    open_one: Open, entra: TokenService
) -> None:
    """Also if the one that began it goes away."""
    gateway = await open_one(application(entra))
    entra.open.clear()
    calls = [asyncio.ensure_future(call(gateway, "ListFiles")) for _ in range(20)]
    await eventually(lambda: entra.requests)
    calls[0].cancel()
    entra.open.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, asyncio.CancelledError) for answer in answers) == 1
    assert len(entra.requests) == 1


@pytest.mark.parametrize(
    "answers",
    [
        [(500, "{}")],
        [(503, "<html>")],
        [(429, {"error": "slow_down"})],
        [(200, "<html>")],
        [(200, "{}")],
    ],
)
async def test_a_token_service_in_trouble(
    open_one: Open, entra: TokenService, answers: list[tuple[int, Any]]
) -> None:
    gateway = await open_one(application(entra))
    entra.answers = answers
    with capture_logs() as logs:
        failure = await failed(gateway, "CreateBatch")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
    assert failure.message.startswith("azure: no token from Microsoft Entra's token service: it ")
    assert failure.retry_seconds is not None
    assert SECRET not in f"{failure} {logs}"
    entra.answers = []
    await call(gateway, "ListFiles")


async def test_a_token_service_that_is_not_there(open_one: Open, entra: TokenService) -> None:
    settings = {**application(entra), "authority": "https://127.0.0.1:1"}
    failure = await failed(await open_one(settings), "CreateBatch")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
    assert failure.message.endswith("it cannot be reached")


async def test_a_token_service_that_is_not_trusted(
    open_one: Open, entra: TokenService, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    failure = await failed(await open_one(application(entra), ca_file=other.file), "ListFiles")
    assert failure.reason == "PROVIDER_UNREACHABLE"
    assert entra.requests == []


async def test_a_client_secret_that_is_refused(open_one: Open, entra: TokenService) -> None:
    """Its error says what to do, and repeats no secret."""
    said = "AADSTS7000215: Invalid client secret provided."
    entra.answers = [
        (401, {"error": "invalid_client", "error_description": f"{said} It was {SECRET}."})
    ]
    with capture_logs() as logs:
        failure = await failed(await open_one(application(entra)), "GetBatch")
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CREDENTIAL_REJECTED")
    assert said in failure.message
    assert SECRET not in f"{failure} {logs}"
    assert len(entra.requests) == 1


async def test_a_machine_without_an_identity(
    open_one: Open, machine: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", f"http://127.0.0.1:{machine.port}")
    machine.answers = [
        (400, {"error": "invalid_request", "error_description": "Identity not found"})
    ]
    failure = await failed(await open_one({"method": "managed_identity"}), "GetBatch")
    assert failure.reason == "PROVIDER_CREDENTIAL_REJECTED"
    assert "Identity not found" in failure.message


async def test_a_federated_token_that_is_gone(
    open_one: Open, entra: TokenService, tmp_path: Path
) -> None:
    settings = application(entra) | {"method": "workload_identity", "client_secret": None}
    failure = await failed(
        await open_one({**settings, "token_file": tmp_path / "gone"}), "ListFiles"
    )
    assert failure.reason == "PROVIDER_UNREACHABLE"
    assert "gone: No such file or directory" in failure.message


async def test_the_way_to_the_token_service_is_the_profile_s(
    open_one: Open, entra: TokenService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its proxy, and none of the environment's."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    await call(await open_one(application(entra)), "ListFiles")
    async with http_proxy(credential="user:other") as proxy:
        gateway = await open_one(application(entra), proxy_url=proxy.url("user:pa55"))
        failure = await failed(gateway, "ListFiles")
        assert failure.reason == "PROVIDER_UNREACHABLE"
        assert "its proxy answered 407" in failure.message
        assert "pa55" not in str(failure)


@pytest.mark.usefixtures("authority")
async def test_a_new_client_secret_in_a_file_is_used(
    open_gateway: OpenGateway,
    entra: TokenService,
    sandbox: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followed, "LOOK_SECONDS", 3600.0)
    (tmp_path / "secret").write_text("first")
    config = tmp_path / "batchgate.toml"
    config.write_text(
        f'[providers.azure]\nkind = "azure_openai"\nendpoint = "{sandbox.url}"\n'
        f'ca_file = "ca.pem"\n[providers.azure.entra]\nmethod = "client_secret"\n'
        f'authority = "{entra.authority}"\ntenant_id = "t"\nclient_id = "c"\n'
        'client_secret = { file = "secret" }\n'
    )
    gateway = await open_gateway({}, config=config)
    await call(gateway, "ListFiles")
    (tmp_path / "secret").write_text("second")
    await account(entra, 1, sandbox.url).fault(kind="answer", status=401, times=None)
    await call(gateway, "ListFiles")
    assert [one["client_secret"] for one in entra.requests] == ["first", "second"]


async def test_two_profiles_have_tokens_of_their_own(
    open_gateway: OpenGateway, entra: TokenService, sandbox: Any, authority: Authority
) -> None:
    profile = {"kind": "azure_openai", "endpoint": sandbox.url, "ca_file": authority.file}
    gateway = await open_gateway(
        {
            "providers": {
                name: {**profile, "entra": {**application(entra), "client_id": name}}
                for name in ("one", "two")
            }
        }
    )
    for name in ("one", "two", "one", "two"):
        await call(gateway, "ListFiles", provider=name)
    assert [one["client_id"] for one in entra.requests] == ["one", "two"]
    for number in (1, 2):
        assert len(await account(entra, number, sandbox.url).requests()) == 2
