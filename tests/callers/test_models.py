"""Models that a caller may use: no line with another one reaches a batch, by whatever way."""

import json
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from tests.callers.conftest import OpenTeams
from tests.conftest import Account, Gateway, profiles
from tests.services.lines import ENDPOINT, lines
from tests.status import Failure, failure_of

STRICT = file_service_pb2.JSONL_CHECK_STRICT
OFF = file_service_pb2.JSONL_CHECK_OFF
ALLOWED, OTHER = "gpt-4o-mini", "gpt-4o"


def line(body: str, *, envelope: str = "") -> bytes:
    return (
        f'{{"custom_id":"x","method":"POST","url":"{ENDPOINT}","body":{body}{envelope}}}\n'.encode()
    )


async def refused(call: Any) -> Failure:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return failure_of(caught.value)


async def checked(gateway: Gateway, content: bytes, **metadata: Any) -> Any:
    return await gateway.upload(content, jsonl_check=STRICT, **metadata)


def created(gateway: Gateway, file_id: str, **fields: Any) -> Any:
    request = pb.CreateBatchRequest(input_file_id=file_id, endpoint=ENDPOINT, **fields)
    return gateway.batches.CreateBatch(request)


def submitted(gateway: Gateway, *rows: pb.BatchLine, **metadata: Any) -> Any:
    messages = [
        pb.SubmitBatchRequest(metadata=pb.SubmitBatchMetadata(endpoint=ENDPOINT, **metadata)),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=rows)),
    ]
    return gateway.batches.SubmitBatch(iter(messages))


async def test_an_allowed_model_goes_all_the_way(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    file = (await checked(teams["a"], lines(300))).file
    batch = (await created(teams["a"], file.id)).batch
    # What came through this process was checked on its way, and is not read again.
    assert not [one for one in await account.requests() if one["path"].endswith("/content")]
    await teams["a"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))


async def test_a_line_in_the_middle(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    content = lines(5000) + lines(1, model=OTHER).replace(b"line-0", b"other") + lines(10)
    failure = await refused(checked(teams["a"], content))
    assert (failure.code, failure.reason) == ("INVALID_ARGUMENT", "INVALID_JSONL")
    assert any("model_not_allowed" in said for said in failure.fields.values())
    assert "5001" in failure.message
    assert await account.file_ids() == []


TRICKS = [
    pytest.param(line('{"model":"gpt-4o"}'), id="plain"),
    pytest.param(line('{"model":"gpt-4o","model":"gpt-4o-mini"}'), id="twice, last allowed"),
    pytest.param(line('{"model":"gpt-4o-mini","model":"gpt-4o"}'), id="twice, first allowed"),
    pytest.param(
        line('{"model":"gpt-4o","\\u006dodel":"gpt-4o-mini"}'), id="twice, the last escaped"
    ),
    pytest.param(
        line('{"\\u006Dodel":"gpt-4o","model":"gpt-4o-mini"}'), id="twice, the first escaped"
    ),
    pytest.param(
        line('{"model":"gpt-4o"}', envelope=',"body":{"model":"gpt-4o-mini"}'), id="two bodies"
    ),
    pytest.param(
        line('{"model":"gpt-4o"}', envelope=',"b\\u006fdy":{"model":"gpt-4o-mini"}'),
        id="two bodies, one escaped",
    ),
    pytest.param(line('{"messages":[]}'), id="none"),
    pytest.param(line('{"model":null}'), id="null"),
    pytest.param(line('{"model":["gpt-4o-mini"]}'), id="a list"),
    pytest.param(line('{"Model":"gpt-4o-mini"}'), id="another spelling"),
    pytest.param(line('{"model":"gpt-4o-mini","Model":"gpt-4o"}'), id="and another spelling"),
    pytest.param(line('{"model":"gpt-4o-mini","\\u004dodel":"gpt-4o"}'), id="and it escaped"),
    pytest.param(
        line('{"model":"gpt-4o-mini"}', envelope=',"Body":{"model":"gpt-4o"}'), id="and a Body"
    ),
    pytest.param(line('{"model":"gpt-4o-mini","models":["gpt-4o"]}'), id="and further ones"),
    pytest.param(line('{"model":"gpt-4o-mini "}'), id="with a space"),
]


@pytest.mark.parametrize("trick", TRICKS)
@pytest.mark.parametrize("behind", [0, 40])
async def test_a_trick(open_teams: OpenTeams, account: Account, trick: bytes, behind: int) -> None:
    """Whether the line is the first, or comes where all before it were fine."""
    teams = await open_teams(a={"models": [ALLOWED]}, b={})
    content = lines(behind) + trick
    # In pieces, since lines that come together are looked at together.
    failure = await refused(checked(teams["a"], content, chunk=1000))
    assert failure.reason == "INVALID_JSONL"
    assert await account.file_ids() == []
    # Not by the way of a file that somebody else has brought in either.
    file = (await teams["b"].upload(content)).file
    failure = await refused(created(teams["a"], file.id))
    assert (failure.code, failure.reason) == ("PERMISSION_DENIED", "CALLER_NOT_PERMITTED")
    assert f"line {behind + 1} of the input file" in failure.message
    assert failure.message.endswith("a may use: gpt-4o-mini")
    await created(teams["b"], file.id)


async def test_nested_models_are_no_tricks(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]}, b={})
    body = {
        "model": ALLOWED,
        "messages": [{"role": "user", "content": 'say "model", "model": é \u006d'}],
        "tools": [{"model": "x", "Model": "y", "models": []}, {"body": "y", "Body": 1}],
    }
    content = line(json.dumps(body))
    file = (await checked(teams["a"], content)).file
    await created(teams["a"], file.id)
    await created(teams["a"], (await teams["b"].upload(content)).file.id)


async def test_the_check_cannot_be_left_out(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    failure = await refused(teams["a"].upload(lines(1, model=OTHER)))
    assert failure.reason == "CALLER_NOT_PERMITTED"
    assert "leave metadata.jsonl_check out" in failure.message
    # Another purpose is not checked, and no way around: the batch is.
    file = (await teams["a"].upload(lines(1, model=OTHER), purpose="user_data")).file
    assert (await refused(created(teams["a"], file.id))).reason in {
        "CALLER_NOT_PERMITTED",
        "PROVIDER_REJECTED",
    }
    assert not [one for one in await account.requests() if one["path"].endswith("/batches")]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(pb.BatchLine(custom_id="x", body_json='{"model":"gpt-4o"}'), id="plain"),
        pytest.param(
            pb.BatchLine(custom_id="x", body_json='{"model":"gpt-4o","model":"gpt-4o-mini"}'),
            id="twice",
        ),
        pytest.param(
            pb.BatchLine(custom_id="x", body_json='{"\\u006dodel":"gpt-4o","model":"gpt-4o-mini"}'),
            id="escaped",
        ),
        pytest.param(pb.BatchLine(custom_id="x", body_json="{}"), id="none"),
    ],
)
async def test_rows(open_teams: OpenTeams, account: Account, row: pb.BatchLine) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    failure = await refused(submitted(teams["a"], row))
    assert failure.reason == "INVALID_JSONL"
    ((field, said),) = failure.fields.items()
    assert field == "lines[0].body"
    assert said.startswith("model_not_allowed")
    assert await account.file_ids() == []


async def test_a_row_as_a_struct(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    for model, fine in {ALLOWED: True, OTHER: False}.items():
        struct = Struct()
        struct.update({"model": model})
        call = submitted(teams["a"], pb.BatchLine(custom_id="x", body_struct=struct))
        if fine:
            await call
        else:
            assert (await refused(call)).reason == "INVALID_JSONL"


async def test_the_model_that_is_filled_in(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    row = pb.BatchLine(custom_id="x", body_json="{}")
    await submitted(teams["a"], row, model=ALLOWED)
    assert (await refused(submitted(teams["a"], row, model=OTHER))).reason == "INVALID_JSONL"


async def test_a_retry_of_anothers_batch(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]}, b={})
    batches = {}
    for model in (ALLOWED, OTHER):
        body = f'{{"model":"{model}","sandbox":{{"fail":500}}}}'
        row = pb.BatchLine(custom_id="x", body_json=body)
        batch = (await submitted(teams["b"], row)).batch
        await teams["b"].batches.WaitBatch(pb.WaitBatchRequest(batch_id=batch.id))
        batches[model] = batch.id
    before = len(await account.file_ids())
    failure = await refused(
        teams["a"].batches.RetryBatch(pb.RetryBatchRequest(batch_id=batches[OTHER]))
    )
    assert failure.reason == "CALLER_NOT_PERMITTED"
    assert len(await account.file_ids()) == before
    await teams["a"].batches.RetryBatch(pb.RetryBatchRequest(batch_id=batches[ALLOWED]))


async def test_an_alias_is_allowed_by_either_name(open_teams: OpenTeams, account: Account) -> None:
    own = profiles(account)["azure"]
    settings = {"providers": {"azure": {**own, "models": {ALLOWED: "mini-deployment"}}}}
    settings["default_provider"] = "azure"  # type: ignore[assignment]
    teams = await open_teams(settings, a={"models": [ALLOWED]})
    for model in (ALLOWED, "mini-deployment"):
        file = (await checked(teams["a"], lines(2, model=model))).file
        await created(teams["a"], file.id)
    failure = await refused(checked(teams["a"], lines(2, model="big-deployment")))
    assert failure.reason == "INVALID_JSONL"


async def test_what_counts_is_what_is_sent(open_teams: OpenTeams, account: Account) -> None:
    """A file that nobody rewrites goes to a model of that very name, whatever becomes of it else."""
    own = profiles(account)["openai"]
    aliases = {ALLOWED: "mini-deployment", OTHER: OTHER, "big": OTHER}
    settings = {"providers": {"openai": {**own, "models": aliases}}}
    teams = await open_teams(settings, a={"models": [ALLOWED]}, b={"models": ["big"]}, c={})
    unchecked = (await teams["c"].upload(lines(2, model=ALLOWED), jsonl_check=OFF)).file
    failure = await refused(created(teams["a"], unchecked.id))
    assert failure.reason == "CALLER_NOT_PERMITTED"
    rewritten = (await checked(teams["a"], lines(2, model=ALLOWED))).file
    await created(teams["a"], rewritten.id)
    assert (await refused(created(teams["b"], rewritten.id))).reason == "CALLER_NOT_PERMITTED"
    for model in ("big", OTHER):
        await checked(teams["b"], lines(2, model=model))
    failure = await refused(checked(teams["b"], lines(2, model=ALLOWED)))
    assert failure.reason == "INVALID_JSONL"
    assert f"allowed: big, {OTHER}" in failure.message


async def test_a_file_from_elsewhere_is_read_once(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]}, b={})
    file = (await teams["b"].upload(lines(2000))).file
    for _ in range(2):
        await created(teams["a"], file.id)
    reads = [one for one in await account.requests() if one["path"].endswith("/content")]
    assert len(reads) == 1


async def test_a_file_that_does_not_exist(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    assert (await refused(created(teams["a"], "file-none"))).reason == "PROVIDER_NOT_FOUND"


async def test_an_upload_that_is_only_checked(open_teams: OpenTeams, account: Account) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    answer = await checked(teams["a"], lines(3, model=OTHER), validate_only=True)
    assert {issue.code for issue in answer.report.issues} == {"model_not_allowed"}
    assert [issue.line for issue in answer.report.issues] == [1, 2, 3]
    assert await account.requests() == []
