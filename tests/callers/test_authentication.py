"""Who gets in, and who does not."""

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchgate_server.callers.tokens import digest, new_token
from tests.callers.conftest import OpenTeams
from tests.callers.door import as_caller, token_of
from tests.conftest import Account
from tests.services.calls import CALLS, call, failed
from tests.services.lines import lines
from tests.status import failure_of

WRONG = [
    pytest.param((), "the gateway has to know who calls", id="no token"),
    pytest.param(
        (("authorization", "Bearer bg_wrong"),), "no caller is known by this token", id="wrong"
    ),
    pytest.param(
        (("authorization", f"Bearer {token_of('gone')}"),),
        "no caller is known by this token",
        id="of a removed caller",
    ),
    pytest.param(
        (("authorization", f"Basic {token_of('a')}"),), "must have the form", id="another scheme"
    ),
    pytest.param((("authorization", token_of("a")),), "must have the form", id="no scheme"),
    pytest.param((("authorization", "Bearer "),), "must have the form", id="no word"),
    pytest.param(
        (("authorization", f"Bearer {digest(token_of('a'))}"),),
        "no caller is known by this token",
        id="its digest",
    ),
    pytest.param(
        (("authorization", f"Bearer {token_of('a')[:-1]}"),),
        "no caller is known by this token",
        id="cut off",
    ),
    pytest.param(
        (("authorization", f"Bearer {token_of('a')} "),),
        "no caller is known by this token",
        id="with a space",
    ),
    pytest.param(
        (
            ("authorization", f"Bearer {token_of('a')}"),
            ("authorization", f"Bearer {token_of('b')}"),
        ),
        "send the metadata `authorization` once",
        id="two",
    ),
    pytest.param((("x-api-key", token_of("a")),), "has to know who calls", id="another header"),
]


@pytest.mark.parametrize(("metadata", "message"), WRONG)
async def test_a_wrong_proof(
    open_teams: OpenTeams, account: Account, metadata: tuple[tuple[str, str], ...], message: str
) -> None:
    teams = await open_teams(a={}, b={})
    async with as_caller(teams[""], *metadata) as nobody:
        failure = await failed(nobody, "GetBatch")
    assert (failure.code, failure.reason) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert message in failure.message
    assert "token-of" not in str(failure)
    assert failure.trailing["x-request-id"]
    assert await account.requests() == []


@pytest.mark.parametrize("name", CALLS)
async def test_no_unary_call_without_a_proof(open_teams: OpenTeams, name: str) -> None:
    teams = await open_teams(a={})
    assert (await failed(teams[""], name)).reason == "CALLER_UNAUTHENTICATED"


async def test_no_stream_without_a_proof(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await teams[""].upload(lines(2000))
    assert failure_of(caught.value).reason == "CALLER_UNAUTHENTICATED"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await teams[""].download("file-1")
    assert failure_of(caught.value).reason == "CALLER_UNAUTHENTICATED"
    assert await account.requests() == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_a_token_is_known(open_teams: OpenTeams, scheme: str) -> None:
    teams = await open_teams(a={})
    async with as_caller(teams[""], ("authorization", f"{scheme} {token_of('a')}")) as a:
        assert (await call(a, "ListBatches")).batches == []


async def test_tokens_rotate(open_teams: OpenTeams) -> None:
    tokens = [new_token(), new_token()]
    teams = await open_teams(a={"token_sha256": [digest(token) for token in tokens]})
    for token in tokens:
        async with as_caller(teams[""], ("authorization", f"Bearer {token}")) as a:
            await call(a, "ListBatches")


def test_a_token_has_256_bits_and_a_prefix() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("bg_") and len(token) == 46 for token in tokens)


async def test_health_is_open(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={})
    health: Any = health_pb2_grpc.HealthStub(teams[""].channel)
    answer = await health.Check(health_pb2.HealthCheckRequest(service="batchgate.v1.BatchService"))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_without_callers_nobody_is_asked(open_teams: OpenTeams) -> None:
    teams = await open_teams()
    async with as_caller(teams[""], ("authorization", "Basic whatever")) as anybody:
        await call(anybody, "ListBatches")
