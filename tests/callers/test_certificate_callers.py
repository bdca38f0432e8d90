"""Callers who are known by their certificates: a gateway with mutual TLS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import provider_service_pb2 as pb
from batchgate.v1 import provider_service_pb2_grpc
from batchgate_server.settings import ConfigurationError, load_settings
from tests.callers.door import bearer, known
from tests.certificates import Authority
from tests.conftest import Account, profiles, running_gateway
from tests.status import Failure, failure_of
from tests.tls.conftest import channel_to, tls_of

WORKER = "spiffe://mesh/ns/team-a/sa/worker"
TEAMS = {
    "a": {"san": [WORKER], "providers": ["azure"]},
    "b": {"san": ["worker.team-b.internal", "other.team-b.internal"], "providers": ["openai"]},
    "ab": {"san": ["shared.internal"], "providers": ["openai", "azure"]},
    **known("c", providers=["azure-dated"]),
}


def settings_of(account: Account, authority: Authority, **changes: Any) -> Any:
    server = authority.issue("server")
    return {
        "listen": "127.0.0.1:0",
        "providers": profiles(account),
        "callers": TEAMS,
        "tls": tls_of(server, client_ca=authority.file),
        **changes,
    }


@asynccontextmanager
async def connected(address: str, authority: Authority, *, san: list[str]) -> AsyncIterator[Any]:
    client = authority.issue("client", san=san)
    async with channel_to(address, authority, client) as channel:
        yield provider_service_pb2_grpc.ProviderServiceStub(channel)


@pytest.fixture
async def address(account: Account, tmp_path: Path) -> AsyncIterator[tuple[str, Authority]]:
    authority = Authority(tmp_path)
    settings = load_settings(environment={}, overrides=settings_of(account, authority))
    async with running_gateway(settings) as gateway:
        yield gateway.address, authority


@pytest.mark.parametrize(
    ("san", "providers"),
    [
        ([WORKER], ["azure"]),
        (["worker.team-b.internal"], ["openai"]),
        (["Worker.Team-B.internal"], ["openai"]),
        (["other.team-b.internal", "worker.team-b.internal", "x.internal"], ["openai"]),
        (["localhost", "shared.internal"], ["openai", "azure"]),
    ],
)
async def test_a_certificate_that_is_known(
    address: tuple[str, Authority], san: list[str], providers: list[str]
) -> None:
    async with connected(*address, san=san) as stub:
        answer = await stub.ListProviders(pb.ListProvidersRequest())
    assert [provider.name for provider in answer.providers] == providers


async def refusal(stub: Any, **options: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListProviders(pb.ListProvidersRequest(), **options)
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    return failure


@pytest.mark.parametrize(
    "name",
    [
        f"{WORKER}2",
        WORKER[:-1],
        f"{WORKER}/",
        WORKER.upper().replace("SPIFFE", "spiffe"),
        WORKER.replace("mesh", "mesh.evil"),
        "team-b.internal",
        "x.worker.team-b.internal",
        "*.team-b.internal",
        "worker.team-b.internal.evil",
        "https://worker.team-b.internal",
    ],
)
async def test_a_name_that_almost_matches(address: tuple[str, Authority], name: str) -> None:
    async with connected(*address, san=[name]) as stub:
        failure = await refusal(stub)
    assert failure.message.startswith("no caller is known by this certificate, which names ")


async def test_a_name_of_another_kind(address: tuple[str, Authority]) -> None:
    """A DNS name that is spelled as a caller's URI."""
    async with connected(*address, san=[f"dns={WORKER}"]) as stub:
        await refusal(stub)


async def test_a_certificate_of_two_callers(address: tuple[str, Authority]) -> None:
    san = ["worker.team-b.internal", "shared.internal"]
    async with connected(*address, san=san) as stub:
        failure = await refusal(stub)
    assert failure.message == (
        "several callers are known by this certificate, which names worker.team-b.internal, "
        "shared.internal"
    )


async def test_a_certificate_without_names(address: tuple[str, Authority]) -> None:
    async with connected(*address, san=[]) as stub:
        failure = await refusal(stub)
    assert "or a client certificate that is known here" in failure.message


async def test_a_token_goes_before_the_certificate(address: tuple[str, Authority]) -> None:
    """A proxy's certificate lets its callers in with tokens of their own; a wrong one is wrong."""
    async with connected(*address, san=[WORKER]) as stub:
        answer = await stub.ListProviders(pb.ListProvidersRequest(), metadata=[bearer("c")])
        assert [provider.name for provider in answer.providers] == ["azure-dated"]
        failure = await refusal(stub, metadata=[("authorization", "Bearer bg_wrong")])
    assert failure.message == "no caller is known by this token"


def test_names_need_an_authority(account: Account, tmp_path: Path) -> None:
    settings = settings_of(account, Authority(tmp_path))
    del settings["tls"]["client_ca_file"]
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={}, overrides=settings)
    places = {problem.place: problem.message for problem in caught.value.problems}
    assert places == {"tls.client_ca_file": "is required where callers have a san"}
