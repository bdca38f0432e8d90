"""Whatever comes in, the event loop is not held by it: other calls are served meanwhile."""

import base64
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from tests import hostile
from tests.callers.conftest import OpenTeams, open_teams
from tests.callers.test_models import ALLOWED, STRICT, created, refused, submitted
from tests.conftest import Account, Gateway, profiles
from tests.services.lines import lines
from tests.watchdog import watched

__all__ = ["open_teams"]

MIB = 1024 * 1024
# Of the processor's time. A tenth of what the same took where nothing was cut up, and several times
# of what it takes: machines differ.
LONGEST = 0.25


async def reported(gateway: Gateway, content: bytes) -> file_service_pb2.UploadReport:
    answer = await gateway.upload(content, chunk=MIB, jsonl_check=STRICT, validate_only=True)
    return answer.report


def with_an_alias(account: Account) -> dict[str, Any]:
    own = profiles(account)["openai"]
    return {"providers": {"openai": {**own, "models": {ALLOWED: "mini"}}}}


@pytest.mark.parametrize("kind", hostile.VALUES)
async def test_a_long_line(open_teams: OpenTeams, account: Account, kind: str) -> None:
    """Checked, searched for a second model, and rewritten."""
    teams = await open_teams(with_an_alias(account), a={"models": [ALLOWED]})
    content = hostile.line(kind, 4 * MIB)
    with watched() as held:
        report = await reported(teams["a"], content)
    assert held.worst < LONGEST, held
    faulty = kind == "faulty at its end"
    assert [issue.code for issue in report.issues] == (["invalid_json_line"] if faulty else [])
    assert report.rewritten_lines == (not faulty)


async def test_a_long_line_that_names_two_models(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    content = hostile.line("nested lists", 4 * MIB, more=b',"Model":"gpt-4o"')
    with watched() as held:
        report = await reported(teams["a"], content)
    assert [issue.code for issue in report.issues] == ["model_not_allowed"]
    assert held.worst < LONGEST, held


async def test_very_many_short_lines(gateway: Gateway) -> None:
    short = b'{"custom_id":"%d","method":"POST","url":"/v1/responses","body":{"model":"m"}}\n'
    content = b"".join(short % number for number in range(45_000))
    with watched() as held:
        answer = await gateway.upload(content, chunk=3 * MIB, jsonl_check=STRICT)
    assert answer.report.line_count == 45_000
    assert held.worst < LONGEST, held


def deep(count: int) -> Value:
    return Value(list_value=ListValue(values=[Value(null_value=0)] * count))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["numbers", "nested lists", "half a pair, then models"])
async def test_a_long_row(open_teams: OpenTeams, kind: str) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    body = f'{{"model":"{ALLOWED}","x":{hostile.value(kind, 3_700_000).decode()}}}'
    with watched() as held:
        answer = await submitted(teams["a"], pb.BatchLine(custom_id="x", body_json=body))
    assert answer.report.line_count == 1
    assert held.worst < LONGEST, held


async def test_a_long_row_as_a_struct(open_teams: OpenTeams) -> None:
    teams = await open_teams(a={"models": [ALLOWED]})
    body = Struct(fields={"model": Value(string_value=ALLOWED), "x": deep(900_000)})
    with watched() as held:
        answer = await submitted(teams["a"], pb.BatchLine(custom_id="x", body_struct=body))
    assert answer.report.sent_bytes > 4_500_000
    # What a message of so many parts takes in gRPC's own hands, and the test's, is in it.
    assert held.worst < 2 * LONGEST, held


@pytest.mark.parametrize("version", [b"1", b"2"])
async def test_a_long_token(gateway: Gateway, version: bytes) -> None:
    """Refused for its length alone, whatever is in it: what is refused is not built before."""
    places = hostile.value("empty lists", 2 * MIB)
    token = base64.urlsafe_b64encode(b'[%b,"",%b,0,0,0,""]' % (version, places)).decode()
    listed = file_service_pb2.ListFilesRequest(page_token=token)
    resumed = pb.StreamBatchResultsRequest(batch_id="batch_1", resume_token=token)
    with watched() as held:
        for_pages = await refused(gateway.files.ListFiles(listed))
        for_results = await refused(anext(aiter(gateway.batches.StreamBatchResults(resumed))))
    assert for_pages.fields.keys() == {"page_token"}
    assert for_results.fields.keys() == {"resume_token"}
    assert held.worst < LONGEST / 4, held


async def test_a_file_that_another_replica_has_taken(
    open_teams: OpenTeams, account: Account
) -> None:
    """What is accepted on its way in is accepted where it lies, by a gateway that has not seen it."""
    own = {"a": {"models": [ALLOWED]}}
    here, elsewhere = await open_teams(**own), await open_teams(**own)
    content = lines(3).replace(b'"body":', b'"x":"\\ud83c \\\\ud83c","body":') + b"\n \r\n"
    file = (await here["a"].upload(content, jsonl_check=STRICT)).file
    with watched() as held:
        await created(elsewhere["a"], file.id)
        big = hostile.line("half a pair, then models", 4 * MIB)
        file = (await here["a"].upload(big, jsonl_check=STRICT)).file
        await created(elsewhere["a"], file.id)
    assert held.worst < LONGEST, held
    # A byte order mark is not a reason of this check's: whether it is taken is the provider's matter.
    marked = (await here["a"].upload(b"\xef\xbb\xbf" + lines(1), purpose="user_data")).file
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await created(elsewhere["a"], marked.id)
    assert "may use" not in (caught.value.details() or "")


async def test_a_file_that_has_no_end_of_a_line(open_teams: OpenTeams, account: Account) -> None:
    """Refused as soon as no line can be so long, as an upload is; the rest is not read."""
    teams = await open_teams(a={"models": [ALLOWED]}, b={})
    file = (await teams["b"].upload(b" " * (40 * MIB), chunk=2 * MIB)).file
    failure = await refused(created(teams["a"], file.id))
    assert failure.reason == "CALLER_NOT_PERMITTED"
    assert "line 1 of the input file is too long to be checked" in failure.message
