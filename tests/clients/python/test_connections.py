"""How the Python client reaches the gateway, who it says that it is, and what it does without one."""

import asyncio
import sys
from pathlib import Path

import grpc
import pytest

from batchgate.v1 import error_reason_pb2
from batchgate.v1.batch_service_pb2 import ListBatchesRequest
from batchgate_client import AsyncClient, BatchgateError, Client, Tls, errors
from batchgate_client.connection import Identity
from batchgate_client.environment import environment_settings
from batchgate_client.errors import (
    CallerUnauthenticated,
    GatewayUnreachable,
    ProviderRequired,
    ProviderUnknown,
    TimedOut,
    by_reason,
)
from batchgate_client.proxies import proxy_for
from tests.callers.door import known, token_of
from tests.certificates import Authority
from tests.chaos.ports import fixed_port
from tests.clients.python.conftest import Open
from tests.conftest import Account, OpenGateway, profiles
from tests.secret_search import secret
from tests.waiting import eventually


def test_every_reason_has_an_error_of_its_own() -> None:
    reasons = {
        name.removeprefix("ERROR_REASON_") for name, _ in error_reason_pb2.ErrorReason.items()
    }
    own = by_reason()
    assert reasons - {"UNSPECIFIED"} == own.keys() - {"GATEWAY_UNREACHABLE", "CANCELLED"}
    drawn = errors.__doc__ or ""
    assert all(kind.__name__ in drawn for kind in own.values())


async def test_nobody_at_the_address(open_client: Open) -> None:
    client = open_client(f"127.0.0.1:{fixed_port()}")
    with pytest.raises(GatewayUnreachable) as caught:
        await client.delete_file("file-a")
    assert caught.value.code == grpc.StatusCode.UNAVAILABLE
    assert caught.value.reason == ""


async def test_a_deadline_that_is_over(
    open_client: Open, open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    client = open_client(gateway.address, provider="openai", timeout=0.2)
    await account.fault(kind="hang", times=None)
    with pytest.raises(TimedOut):
        await client.get_batch("batch_a")
    with pytest.raises(TimedOut):
        [one async for one in client.watch_batch("batch_a", timeout=0.2)]
    # A number of seconds of its own counts more than the client's.
    with pytest.raises(TimedOut):
        await client.using(timeout=60).get_batch("batch_a", timeout=0.2)
    await account.mend()
    assert [one async for one in client.list_batches(timeout=float("inf"))] == []


async def test_a_provider_of_the_client_or_of_the_call(
    open_client: Open, open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    client = open_client(gateway.address)
    with pytest.raises(ProviderRequired):
        await client.get_file("file-a")
    file = (await client.using(provider="azure").upload_file(b"{}", validate_only=True)).file
    assert not file.id
    made = (await client.upload_file(b"a", purpose="user_data", provider="openai")).file
    assert made.provider == "openai"
    with pytest.raises(ProviderUnknown):
        await client.get_file("file-a", provider="elsewhere")
    assert {one.name for one in await client.list_providers()} == set(profiles(account))


async def test_tokens_keys_and_metadata_go_along(
    open_client: Open, open_gateway: OpenGateway, account: Account
) -> None:
    own = {**profiles(account)["openai"], "caller_credentials": True}
    del own["api_key"]
    gateway = await open_gateway({"providers": {"own": own}, "callers": known("team")})
    key = secret(account.key)
    client = open_client(
        gateway.address,
        token=token_of("team"),
        provider_key=key,
        metadata=(("x-request-id", "mine-1"),),
    )
    assert [one async for one in client.list_batches()] == []
    with pytest.raises(BatchgateError) as caught:
        await client.get_batch("batch_none")
    assert caught.value.request_id == "mine-1"
    assert caught.value.details.provider_request_id.startswith("req_")
    for wrong in (client.using(token="bg_wrong"), client.using(token="")):
        with pytest.raises(CallerUnauthenticated):
            await wrong.get_batch("batch_none")


async def test_tokens_go_along_with_the_stubs_too(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway({"providers": profiles(account), "callers": known("team")})
    request, more = ListBatchesRequest(provider="openai"), (("x-request-id", "mine-2"),)
    async with AsyncClient(gateway.address, token=token_of("team")) as client:
        call = client.batches.ListBatches(request, metadata=more)
        assert not (await call).batches
        assert dict(await call.trailing_metadata())["x-request-id"] == "mine-2"
        with pytest.raises(grpc.aio.AioRpcError):
            await client.using(token="bg_wrong").batches.ListBatches(request)

    def asked() -> None:
        with Client(gateway.address, token=token_of("team")) as sync:
            response, sync_call = sync.batches.ListBatches.with_call(request, metadata=more)
            assert not response.batches
            assert dict(sync_call.trailing_metadata())["x-request-id"] == "mine-2"
            assert not sync.batches.ListBatches.future(request, 5).result().batches

    await asyncio.to_thread(asked)


# Programs of their own: gRPC has one poller for all loops of a process, and would call those that are
# closed here in another test.
IN_EACH_LOOP = """
client = AsyncClient(sys.argv[1])  # As at a module's top: no loop runs yet.
assert asyncio.run(client.health())
assert asyncio.run(client.health())

async def closed():
    assert await client.health()
    await client.close()
    try:
        await client.health()
    except RuntimeError as error:
        return "closed" in str(error)

assert asyncio.run(closed())
"""
IN_TWO_LOOPS = """
async def main():
    async with AsyncClient(sys.argv[1]) as client:
        own = asyncio.create_task(client.health())
        assert await asyncio.to_thread(lambda: asyncio.run(client.health()))
        assert await own

asyncio.run(main())
"""


@pytest.mark.parametrize("program", [IN_EACH_LOOP, IN_TWO_LOOPS], ids=["each", "two at once"])
async def test_an_async_client_works_in_any_loop(
    open_gateway: OpenGateway, account: Account, program: str
) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    source = f"import asyncio, sys\nfrom batchgate_client import AsyncClient\n{program}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", source, gateway.address, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


def test_no_secret_is_shown() -> None:
    identity = Identity(provider="openai", token="bg_hidden", provider_key="sk-hidden")
    assert "hidden" not in f"{identity!r} {identity}"


async def test_health(open_client: Open, open_gateway: OpenGateway, account: Account) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    client = open_client(gateway.address)
    assert await client.health()
    assert await client.health("batchgate.v1.FileService")
    with pytest.raises(BatchgateError) as caught:
        await client.health("batchgate.v1.Nothing")
    assert caught.value.code == grpc.StatusCode.NOT_FOUND


async def test_mutual_tls_and_what_does_not_fit(
    open_client: Open, open_gateway: OpenGateway, account: Account, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    server, own = authority.issue("server"), authority.issue("own")
    gateway = await open_gateway(
        {
            "providers": profiles(account),
            "listen": "127.0.0.1:0",
            "tls": {
                "certificate_file": str(server.certificate_file),
                "key_file": str(server.key_file),
                "client_ca_file": str(authority.file),
            },
        }
    )
    mutual = Tls(ca=authority.file, certificate=own.certificate, key=str(own.key_file))
    assert await open_client(gateway.address, tls=mutual).health()
    named = Tls(ca=authority.certificate, certificate=own.certificate, key=own.key)
    assert await open_client(f"localhost:{gateway.address.rpartition(':')[2]}", tls=named).health()
    wrong_name = Tls(
        ca=authority.file, certificate=own.certificate, key=own.key, server_name="elsewhere"
    )
    for tls in (None, Tls(ca=authority.file), Tls(), wrong_name):
        with pytest.raises(GatewayUnreachable):
            await open_client(gateway.address, tls=tls).health(timeout=5)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ValueError, match="go together"):
        Tls(certificate=b"").credentials()


def test_the_environment_says_where_and_who(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("bg_from-file\n")
    assert environment_settings({"BATCHGATE_ADDRESS": "", "BATCHGATE_CONFIG": "x"}) == {}
    assert environment_settings(
        {
            "BATCHGATE_ADDRESS": "gateway:443",
            "BATCHGATE_TOKEN_FILE": str(tmp_path / "token"),
            "BATCHGATE_PROVIDER": "azure",
            "BATCHGATE_TLS": "1",
        }
    ) == {
        "address": "gateway:443",
        "token": "bg_from-file",
        "provider": "azure",
        "tls": Tls(),
    }
    files = {"BATCHGATE_TLS_CA": "ca", "BATCHGATE_TLS_CERT": "cert", "BATCHGATE_TLS_KEY": "key"}
    tls = environment_settings(files | {"BATCHGATE_TOKEN": "bg_given"})
    assert tls == {"tls": Tls(ca="ca", certificate="cert", key="key"), "token": "bg_given"}


@pytest.mark.parametrize("off", ["0", "false", "OFF", ""])
def test_tls_is_off(off: str) -> None:
    assert environment_settings({"BATCHGATE_TLS": off}) == {}


@pytest.mark.parametrize("on", ["1", "True", "on"])
def test_tls_is_on(on: str) -> None:
    assert environment_settings({"BATCHGATE_TLS": on}) == {"tls": Tls()}


def test_what_says_neither_or_both_is_an_error() -> None:
    with pytest.raises(ValueError, match="BATCHGATE_TLS is 'maybe': give 1, true or on"):
        Client.from_environment({"BATCHGATE_TLS": "maybe"})
    with pytest.raises(ValueError, match="BATCHGATE_TLS is off, and BATCHGATE_TLS_CA asks for TLS"):
        Client.from_environment({"BATCHGATE_TLS": "0", "BATCHGATE_TLS_CA": "ca.pem"})


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> str:
    """The environment's proxy, at which nobody listens."""
    address = f"127.0.0.1:{fixed_port()}"
    for name in ("grpc_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", f"http://me:hidden@{address}")
    return address


async def test_no_proxy_stands_before_this_machine(
    open_client: Open, open_gateway: OpenGateway, account: Account, dead_proxy: str, tmp_path: Path
) -> None:
    assert dead_proxy
    listening = {"listen": "127.0.0.1:0"}
    gateway = await open_gateway({"providers": profiles(account), **listening})
    port = gateway.address.rpartition(":")[2]
    for address in (gateway.address, f"localhost:{port}", f"dns:///localhost:{port}"):
        assert await open_client(address).health()
    socket = await open_gateway(
        {"providers": profiles(account), "listen": f"unix:{tmp_path / 'socket'}"}
    )
    assert await open_client(socket.address).health()


async def test_an_error_names_the_proxy(open_client: Open, dead_proxy: str) -> None:
    with pytest.raises(GatewayUnreachable) as caught:
        await open_client("gateway.example:443").health(timeout=5)
    way = f"(through the proxy {dead_proxy}, which https_proxy names)"
    assert caught.value.message.endswith(way)
    assert "hidden" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    ("address", "exceptions", "used"),
    [
        ("gateway.example:443", "", True),
        ("gateway.example:443", "example.org,.example", False),
        ("dns:///10.1.2.3:443", "10.0.0.0/8", False),
        ("10.1.2.3:443", "192.168.0.0/16", True),
        ("127.8.9.1:1", "", False),
        ("[::1]:1", "", False),
        ("ipv6:[fd00::1]:1", "", True),
        ("unix:///run/batchgate.sock", "", False),
    ],
)
def test_which_addresses_a_proxy_is_for(address: str, exceptions: str, *, used: bool) -> None:
    variables = {"http_proxy": "http://proxy.example:3128", "no_proxy": exceptions}
    assert (proxy_for(address, variables) is not None) is used


async def test_clients_from_the_environment_and_a_channel_of_ones_own(
    open_gateway: OpenGateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    monkeypatch.setenv("BATCHGATE_ADDRESS", gateway.address)
    monkeypatch.setenv("BATCHGATE_PROVIDER", "elsewhere")
    async with AsyncClient.from_environment(provider="openai") as client:
        assert [one async for one in client.list_files()] == []

    def asked() -> bool:
        with Client.from_environment() as sync:
            return sync.health()

    assert await asyncio.to_thread(asked)
    own = AsyncClient(channel=gateway.channel)
    await own.close()
    # The channel is the caller's, and still open.
    assert await AsyncClient(channel=gateway.channel).health()


async def test_a_call_that_is_cancelled_ends_at_the_gateway(
    open_gateway: OpenGateway, account: Account
) -> None:
    gateway = await open_gateway({"providers": profiles(account), "default_provider": "openai"})
    await account.fault(kind="hang", times=None)
    async with AsyncClient(gateway.address) as client:
        task = asyncio.create_task(client.get_batch("batch_a"))
        upload = asyncio.create_task(client.upload_file(bytes(1000), purpose="user_data"))

        async def both() -> bool:
            return len(await account.requests()) == 2

        await eventually(both)
        for each in (task, upload):
            each.cancel()
            with pytest.raises(asyncio.CancelledError):
                await each
