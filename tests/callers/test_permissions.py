"""What callers may do: the table, and what it means over a real channel."""

from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import provider_service_pb2
from batchgate_server.application import SERVICES
from batchgate_server.callers.caller import ANONYMOUS, Caller, Operation
from batchgate_server.callers.permissions import RULES, rule_for
from batchgate_server.errors import CallerNotPermitted
from batchgate_server.interceptors.admission import Admission
from batchgate_server.interceptors.chain import ChainInterceptor
from batchgate_server.interceptors.error_status import error_status
from batchgate_server.interceptors.permission import permission
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway
from tests.services.calls import CALLS, failed
from tests.services.lines import lines
from tests.services.rows import metadata_at
from tests.status import Failure, failure_of

EVERY = [str(operation) for operation in Operation]


def every_method() -> set[str]:
    pool = descriptor_pool.Default()
    return {
        f"/{service}/{method.name}"
        for service in SERVICES
        for method in pool.FindServiceByName(service).methods
    }


def test_the_table_names_every_rpc() -> None:
    assert RULES.keys() == every_method()


async def test_an_rpc_that_is_missing_in_the_table_is_refused(tmp_path: Any) -> None:
    """Even a new one, of a service that nobody thought of, and for everybody."""

    async def served(request: bytes, context: Any) -> bytes:
        raise AssertionError

    server = grpc.aio.server(
        interceptors=[
            ChainInterceptor([error_status, permission], entrance=Admission(1.0), who=lambda _: "")
        ]
    )
    handlers: dict[str, Any] = {"Forgotten": grpc.unary_unary_rpc_method_handler(served)}
    server.add_registered_method_handlers("other.Service", handlers)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("other.Service", handlers),)
    )
    address = f"unix:{tmp_path}/server.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            forgotten: Any = channel.unary_unary("/other.Service/Forgotten")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await forgotten(b"")
    finally:
        await server.stop(None)
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "CALLER_NOT_PERMITTED")


@pytest.mark.parametrize("method", sorted(RULES))
def test_each_need_is_needed(method: str) -> None:
    needs = RULES[method].needs
    rule_for(method, ANONYMOUS)
    rule_for(method, Caller(name="a", allow=needs))
    for need in needs:
        with pytest.raises(CallerNotPermitted, match=need):
            rule_for(method, Caller(name="a", allow=frozenset(Operation) - {need}))


async def test_deletes_and_cancels_are_always_named(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={}, b={"allow": EVERY})
    for name, need in {"DeleteFile": "files.delete", "CancelBatch": "batches.cancel"}.items():
        failure = await failed(teams["a"], name)
        assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "CALLER_NOT_PERMITTED")
        assert failure.message == f"a may not do this: it needs {need}"
        assert (await failed(teams["b"], name)).reason == "PROVIDER_NOT_FOUND"


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"ListProviders"}))
async def test_a_reader_of_nothing(open_teams: OpenTeams, account: Account, name: str) -> None:
    """One who may do but one thing may do no other."""
    need = next(iter(RULES[next(m for m in RULES if m.endswith(f"/{name}"))].needs))
    other = next(one for one in EVERY if one != need)
    teams = await open_teams(a={"allow": [other]})
    assert (await failed(teams["a"], name)).reason == "CALLER_NOT_PERMITTED"
    assert await account.requests() == []


async def upload_failure(gateway: Gateway, content: bytes, **metadata: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(content, **metadata)
    return failure_of(caught.value)


async def test_providers_of_a_caller(open_teams: OpenTeams) -> None:
    teams = await open_teams(
        a={"providers": ["azure", "azure-dated"], "default_provider": "azure"},
        b={"providers": ["openai", "azure"]},
        c={"providers": ["azure"]},
        d={"providers": ["azure", "azure-dated"]},
    )
    request = provider_service_pb2.ListProvidersRequest(check_health=True)
    shown = {}
    for name in "abcd":
        answer = await teams[name].providers.ListProviders(request)
        shown[name] = {one.name: one.is_default for one in answer.providers}
    assert shown == {
        "a": {"azure": True, "azure-dated": False},
        "b": {"openai": True, "azure": False},
        "c": {"azure": True},
        "d": {"azure": False, "azure-dated": False},
    }
    for name, default in {"a": "azure", "b": "openai", "c": "azure"}.items():
        assert (await teams[name].upload(lines(1))).file.provider == default
    none = await failed(teams["d"], "ListBatches")
    assert (none.reason, none.message) == (
        "PROVIDER_REQUIRED",
        "name a provider: one of azure, azure-dated",
    )
    other = await failed(teams["a"], "ListBatches", provider="openai")
    assert (other.code, other.reason, other.message) == (
        "PERMISSION_DENIED",
        "CALLER_NOT_PERMITTED",
        "a may not use the provider openai, but: azure, azure-dated",
    )
    unknown = await failed(teams["a"], "ListBatches", provider="opnai")
    assert unknown.reason == "PROVIDER_UNKNOWN"
    assert "openai" not in unknown.message


async def test_the_size_of_an_upload(open_teams: OpenTeams, account: Account) -> None:
    content = lines(50)
    teams = await open_teams(a={"max_upload_bytes": len(content)}, b={"max_upload_bytes": 100})
    await teams["a"].upload(content)
    failure = await upload_failure(teams["b"], content)
    assert (failure.reason, len(await account.file_ids())) == ("FILE_TOO_LARGE", 1)
    assert "100 bytes" in failure.message
    failure = await upload_failure(teams["a"], content, size_bytes=len(content) + 1)
    assert failure.reason == "FILE_TOO_LARGE"


async def test_two_callers_with_one_request_id(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={}, b={})
    file = (await teams["a"].upload(lines(1))).file
    request = pb.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", request_id="monday"
    )
    batches = [
        (await teams[name].batches.CreateBatch(request)).batch for name in ("a", "b", "a", "b")
    ]
    assert batches[0].id == batches[2].id != batches[1].id == batches[3].id
    assert not batches[0].metadata
    kept = await metadata_at(account, batches[1].id)
    assert list(kept) == ["batchgate_request_id"]
    assert kept["batchgate_request_id"].startswith("b:monday #1:")


async def test_a_submit_and_its_retry_keep_the_callers_name(
    open_teams: OpenTeams, account: Account
) -> None:
    teams = await open_teams(a={})
    row = pb.BatchLine(
        custom_id="1", body_json='{"model": "gpt-4o-mini", "sandbox": {"fail": 500, "times": 1}}'
    )
    messages = [
        pb.SubmitBatchRequest(
            metadata=pb.SubmitBatchMetadata(endpoint="/v1/chat/completions", request_id="x")
        ),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=[row])),
    ]
    first = (await teams["a"].batches.SubmitBatch(iter(messages))).batch
    assert (await metadata_at(account, first.id))["batchgate_request_id"].startswith("a:x #1:")
    assert (await teams["a"].batches.SubmitBatch(iter(messages))).batch.id == first.id
    await teams["a"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=first.id))
    retry = pb.RetryBatchRequest(batch_id=first.id, request_id="y")
    second = (await teams["a"].batches.RetryBatch(retry)).batch
    assert (await metadata_at(account, second.id))["batchgate_request_id"].startswith("a:y #1:")
    assert (await teams["a"].batches.RetryBatch(retry)).batch.id == second.id
