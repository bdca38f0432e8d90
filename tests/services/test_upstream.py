"""The way to a provider as profiles configure it: whom to trust, as whom to call, through whom."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from structlog.testing import capture_logs

from batchgate_server.providers import connections
from batchgate_server.providers.connections import profile_transport
from batchgate_server.settings import followed
from tests.certificates import Authority, Issued
from tests.conftest import Account, Gateway, OpenGateway
from tests.services.calls import call, failed
from tests.upstream import Front, http_proxy, server_tls, tls_front

Open = Callable[..., Awaitable[Gateway]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def front(account: Account, authority: Authority) -> AsyncIterator[Front]:
    """The sandbox behind TLS."""
    async with tls_front(account.url, server_tls(authority.issue("provider"))) as front:
        yield front


@pytest.fixture
async def strict(account: Account, authority: Authority) -> AsyncIterator[Front]:
    """The same, for clients with a certificate only."""
    tls = server_tls(authority.issue("provider"), clients=str(authority.file))
    async with tls_front(account.url, tls) as front:
        yield front


@pytest.fixture
def open_one(open_gateway: OpenGateway, account: Account) -> Open:
    """A function that opens a gateway whose one profile has these settings."""

    async def open_one(front: Front, **settings: Any) -> Gateway:
        profile = {
            "kind": "openai",
            "api_key": account.key,
            "base_url": f"{front.url}/v1",
            "retries": 0,
            **settings,
        }
        return await open_gateway({"providers": {"p": profile}}, transport=profile_transport)

    return open_one


@pytest.fixture
def looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at for each request, and not once a second."""
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.0)


def client_files(issued: Issued) -> dict[str, Path]:
    return {
        "client_certificate_file": issued.certificate_file,
        "client_key_file": issued.key_file,
    }


async def test_the_authorities_of_a_file_are_trusted_and_no_others(
    open_one: Open, front: Front, authority: Authority, tmp_path: Path
) -> None:
    gateway = await open_one(front, ca_file=authority.file)
    uploaded = await gateway.upload(b"{}\n")
    assert await gateway.download(uploaded.file.id) == b"{}\n"
    for settings in ({}, {"ca_file": Authority(tmp_path, "other").file}):
        failure = await failed(await open_one(front, **settings), "ListFiles")
        assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
        assert "certificate verify failed" in failure.message


async def test_with_a_file_the_usual_authorities_are_not_trusted(
    open_one: Open,
    front: Front,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "USUAL_TLS", connections.UsualTls())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    await call(await open_one(front), "ListFiles")
    other = Authority(tmp_path, "other")
    failure = await failed(await open_one(front, ca_file=other.file), "ListFiles")
    assert failure.reason == "PROVIDER_UNREACHABLE"


async def test_the_usual_authorities_are_read_again_at_a_reload(
    open_one: Open,
    front: Front,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = connections.UsualTls()
    monkeypatch.setattr(connections, "USUAL_TLS", usual)
    file = tmp_path / "usual.pem"
    copyfile(Authority(tmp_path, "other").file, file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert (await failed(await open_one(front), "ListFiles")).reason == "PROVIDER_UNREACHABLE"
    copyfile(authority.file, file)
    # Many profiles are opened with what was read once.
    assert (await failed(await open_one(front), "ListFiles")).reason == "PROVIDER_UNREACHABLE"
    usual.read()
    await call(await open_one(front), "ListFiles")


async def test_a_client_certificate_is_shown(
    open_one: Open, strict: Front, authority: Authority, tmp_path: Path
) -> None:
    issued = authority.issue("gateway")
    await call(await open_one(strict, ca_file=authority.file, **client_files(issued)), "ListFiles")
    both = tmp_path / "both.pem"
    both.write_bytes(issued.key + issued.certificate)
    settings = {"ca_file": authority.file, "client_certificate_file": both}
    await call(await open_one(strict, **settings), "ListFiles")
    assert strict.serials == [issued.serial, issued.serial]
    failure = await failed(await open_one(strict, ca_file=authority.file), "ListFiles")
    assert failure.code == "UNAVAILABLE"


@pytest.mark.usefixtures("looking_always")
async def test_a_renewed_client_certificate_is_shown_from_then_on(
    open_one: Open, strict: Front, authority: Authority
) -> None:
    """Half a rotation, a certificate without its key, changes nothing and is told once."""
    old, new = authority.issue("gateway"), authority.issue("gateway-renewed")
    gateway = await open_one(strict, ca_file=authority.file, **client_files(old))
    await call(gateway, "ListFiles")
    copyfile(new.certificate_file, old.certificate_file)
    with capture_logs() as logs:
        for _ in range(3):
            await call(gateway, "ListFiles")
        copyfile(new.key_file, old.key_file)
        for _ in range(3):
            await call(gateway, "ListFiles")
    assert strict.serials == [old.serial, new.serial]
    events = [entry["event"] for entry in logs if "TLS" in entry["event"]]
    assert events == ["TLS files not renewed", "TLS files renewed"]


async def test_calls_go_through_the_proxy(
    open_one: Open, front: Front, authority: Authority
) -> None:
    """An upload and a download too; the proxy's credential is not the provider's business."""
    async with http_proxy(credential="user:pa55") as proxy:
        gateway = await open_one(front, ca_file=authority.file, proxy_url=proxy.url("user:pa55"))
        uploaded = await gateway.upload(b"{}\n" * 100_000)
        assert await gateway.download(uploaded.file.id) == b"{}\n" * 100_000
    assert front.connections == len(proxy.heads) > 0


@pytest.mark.parametrize("name", ["CreateBatch", "GetBatch"])
async def test_what_a_proxy_refuses_was_not_sent(
    open_one: Open, front: Front, account: Account, authority: Authority, name: str
) -> None:
    """So a creation is UNAVAILABLE, and may be repeated; nobody is told the proxy's password."""
    async with http_proxy(credential="user:other") as proxy:
        gateway = await open_one(front, ca_file=authority.file, proxy_url=proxy.url("user:pa55"))
        with capture_logs() as logs:
            failure = await failed(gateway, name)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNREACHABLE")
    assert failure.message == (
        "p cannot be reached: its proxy answered 407 (it wants a user name and password, or "
        "refuses those in proxy_url)"
    )
    assert failure.retry_seconds is not None
    assert await account.requests() == []
    assert "pa55" not in f"{failure} {logs}"


@pytest.mark.usefixtures("looking_always")
async def test_a_proxy_s_new_password_is_used(
    open_gateway: OpenGateway,
    front: Front,
    account: Account,
    authority: Authority,
    tmp_path: Path,
) -> None:
    async with http_proxy(credential="user:second") as proxy:
        file = tmp_path / "proxy"
        file.write_text(proxy.url("user:first"))
        config = tmp_path / "batchgate.toml"
        config.write_text(
            f'[providers.p]\nkind = "openai"\nbase_url = "{front.url}/v1"\n'
            f'ca_file = "{authority.file}"\nproxy_url = {{ file = "proxy" }}\n'
            'api_key = { env = "KEY" }\n'
        )
        gateway = await open_gateway(
            {}, config=config, environment={"KEY": account.key}, transport=profile_transport
        )
        assert "answered 407" in (await failed(gateway, "ListFiles")).message
        file.write_text(proxy.url("user:second"))
        await call(gateway, "ListFiles")


async def test_nothing_of_the_way_is_read_from_the_environment(
    open_one: Open, front: Front, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    await call(await open_one(front, ca_file=authority.file), "ListFiles")


async def test_tls_before_1_2_is_refused(
    open_one: Open, account: Account, authority: Authority
) -> None:
    tls = server_tls(authority.issue("provider"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.minimum_version, tls.maximum_version = ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1
    tls.set_ciphers("ALL:@SECLEVEL=0")
    async with tls_front(account.url, tls) as front:
        failure = await failed(await open_one(front, ca_file=authority.file), "ListFiles")
    assert failure.reason == "PROVIDER_UNREACHABLE"
