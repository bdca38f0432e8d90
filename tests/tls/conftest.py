"""Gateways with TLS, and channels to them with and without certificates."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import provider_service_pb2, provider_service_pb2_grpc
from batchgate_server.application import Application
from batchgate_server.settings import load_settings
from tests.certificates import Authority, Issued
from tests.conftest import Account, profiles, shared_tls_transport

OpenTLS = Callable[..., Awaitable[Application]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Issued:
    """The gateway's certificate."""
    return authority.issue("server")


def tls_of(server: Issued, *, client_ca: Path | None = None) -> dict[str, object]:
    """The settings `tls`."""
    return {
        "certificate_file": str(server.certificate_file),
        "key_file": str(server.key_file),
        "client_ca_file": client_ca and str(client_ca),
    }


@pytest.fixture
async def open_tls(account: Account) -> AsyncIterator[OpenTLS]:
    """A function that opens a gateway with these settings, on a port unless they say where."""
    async with AsyncExitStack() as stack:

        async def open_one(**settings: Any) -> Application:
            overrides = {
                "listen": "127.0.0.1:0",
                "providers": profiles(account),
                "default_provider": "openai",
                **settings,
            }
            loaded = load_settings(environment={}, overrides=overrides)
            application = Application(loaded, transport=shared_tls_transport)
            return await stack.enter_async_context(application)

        yield open_one


def channel_to(
    address: str, authority: Authority | bytes | None, client: Issued | None = None
) -> grpc.aio.Channel:
    """A channel with a connection of its own that trusts this authority; None is plaintext."""
    options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1)]
    if authority is None:
        return grpc.aio.insecure_channel(address, options=options)
    if address.startswith("unix:"):
        options.append(("grpc.ssl_target_name_override", "localhost"))
    roots = authority if isinstance(authority, bytes) else authority.certificate
    own = (client.key, client.certificate) if client else (None, None)
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(roots, *own), options)


async def call(channel: grpc.aio.Channel) -> list[str]:
    """The names of the profiles, as the gateway lists them."""
    stub: Any = provider_service_pb2_grpc.ProviderServiceStub(channel)
    answer = await stub.ListProviders(provider_service_pb2.ListProvidersRequest(), timeout=10)
    return [provider.name for provider in answer.providers]


async def refused(channel: grpc.aio.Channel) -> str:
    """The message of a call that does not get a connection."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    return caught.value.details() or ""


async def serial_shown(
    address: str, authority: Authority | bytes, client: Issued | None = None
) -> int:
    """The serial number of the certificate that a new connection to host and port is shown."""
    roots = authority if isinstance(authority, bytes) else authority.certificate
    context = ssl.create_default_context(cadata=roots.decode())
    context.set_alpn_protocols(["h2"])
    if client:
        context.load_cert_chain(client.certificate_file, client.key_file)
    host, _, port = address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.transport.abort()
    return int(shown, 16)
