"""Where the process listens: host and port, IPv6, unix sockets; and what it says where it cannot."""

import socket
from pathlib import Path

import pytest

from batchgate.v1 import provider_service_pb2 as pb
from tests.process.conftest import GatewayProcess, Serve, Start


async def provider_names(gateway: GatewayProcess) -> list[str]:
    answer = await gateway.providers.ListProviders(pb.ListProvidersRequest())
    return [provider.name for provider in answer.providers]


async def test_the_environment_alone_is_enough(start: Start) -> None:
    gateway = await start(listen="127.0.0.1:0")
    assert not gateway.address.endswith(":0")
    assert await provider_names(gateway) == ["openai", "azure"]


async def test_a_unix_socket(start: Start, tmp_path: Path) -> None:
    gateway = await start(listen=f"unix:{tmp_path}/own.sock")
    assert gateway.address == f"unix:{tmp_path}/own.sock"
    assert await provider_names(gateway) == ["openai", "azure"]


async def test_ipv6(start: Start) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    gateway = await start(listen="[::1]:0")
    assert gateway.address.startswith("[::1]:")
    assert await provider_names(gateway) == ["openai", "azure"]


@pytest.mark.parametrize("kind", ["port", "unix"])
async def test_an_address_in_use_is_told_in_one_line(
    start: Start, serve: Serve, tmp_path: Path, kind: str
) -> None:
    listen = "127.0.0.1:0" if kind == "port" else f"unix:{tmp_path}/own.sock"
    first = await start(listen=listen)
    second = await serve("--listen", first.address)
    output, errors = await second.communicate()
    assert second.returncode == 2
    assert output == b""
    assert "Address already in use" in errors.decode()
    assert "Traceback" not in errors.decode()
    # The first one was not disturbed.
    assert await provider_names(first) == ["openai", "azure"]
