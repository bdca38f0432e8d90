"""The checks and the sandbox held against each other: each case of `golden/jsonl.yaml` through both."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from typer.testing import CliRunner

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_client.cli.program import app
from tests.conftest import CHUNK, Account, Gateway
from tests.sandbox.door import Door, eventually
from tests.services.batch_files import GOLDEN, KINDS, Case, cases
from tests.status import failure_of

DOORS = {"openai": "openai", "azure": "azure-v1"}
CASES = [
    pytest.param(case, id=f"{case.case['name']}-{kind}") for kind in KINDS for case in cases(kind)
]


def of_report(issues: Sequence[file_service_pb2.JsonlIssue]) -> list[tuple[int, str, str]]:
    return [(one.line, one.code, one.param) for one in issues]


def test_no_two_cases_are_the_same() -> None:
    names = [case["name"] for case in GOLDEN["cases"]]
    assert len(set(names)) == len(names)
    assert len(CASES) > 150


@pytest.mark.parametrize("case", CASES)
async def test_the_check(gateway: Gateway, account: Account, case: Case) -> None:
    """Alone it reports everything; on the way of an upload it lets no file come to be."""
    request: dict[str, Any] = {
        "provider": case.kind,
        "filename": case.filename,
        "jsonl_check": file_service_pb2.JSONL_CHECK_UNSPECIFIED,
        "endpoint": case.endpoint if case.value("measure") else "",
        # Small, so that lines come one after the other, and not all as the first ones.
        "chunk": CHUNK if case.value("times") else 100,
    }
    report = (await gateway.upload(case.content, validate_only=True, **request)).report
    assert of_report(report.issues) == case.found("issues")
    assert of_report(report.warnings) == case.found("warnings")
    if case.found("issues"):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await gateway.upload(case.content, **request)
        failure = failure_of(raised.value)
        assert failure.reason == "INVALID_JSONL"
        assert len(failure.fields) == len(case.found("issues"))
        assert await account.file_ids(azure=case.kind != "openai") == []
    else:
        file = (await gateway.upload(case.content, **request)).file
        created = gateway.batches.CreateBatch(
            pb.CreateBatchRequest(provider=case.kind, input_file_id=file.id, endpoint=case.endpoint)
        )
        if case.value("sandbox") == 400 and not case.case.get("filename"):
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await created
            assert failure_of(raised.value).reason == "PROVIDER_REJECTED"
        else:
            assert ended(door(case, account), (await created).batch.id)["status"] != "failed"


@pytest.mark.parametrize("case", CASES)
def test_the_check_on_this_machine(case: Case, tmp_path: Path) -> None:
    file = tmp_path / case.filename
    file.write_bytes(case.content)
    endpoint = ["--endpoint", case.endpoint] if case.value("measure") else []
    command = ["check", str(file), "--kind", KINDS[case.kind], "--json", *endpoint]
    done = CliRunner().invoke(app, command)
    if not case.content:
        assert (done.exit_code, "is empty" in done.stderr) == (2, True)
        return
    assert done.exit_code == bool(case.found("issues")), done.output
    for name in ("issues", "warnings"):
        shown = json.loads(done.stdout).get(name, [])
        assert [
            (int(one.get("line", 0)), one["code"], one.get("param", "")) for one in shown
        ] == case.found(name)


@pytest.mark.parametrize("case", CASES)
def test_the_sandbox(account: Account, case: Case) -> None:
    """As the provider itself: it takes what the check passes, and fails what the check refuses."""
    there = door(case, account)
    expected = case.value("sandbox", next(iter(case.value("issues", [])), None))
    uploaded = there.upload(case.content, name=case.filename)
    if expected == 400 and case.case.get("filename"):
        assert uploaded.status_code == 400
        return
    assert uploaded.is_success, uploaded.text
    file_id = uploaded.json()["id"]
    eventually(lambda: there.get(f"/files/{file_id}")["status"] == "processed")
    created = there.create(file_id, endpoint=case.endpoint)
    if expected == 400:
        refusal = created.json()
        assert created.status_code == 400
        assert refusal.get("error", refusal)["param"] == "endpoint"
        return
    assert created.is_success, created.text
    batch = ended(there, created.json()["id"])
    if expected is None:
        assert batch["status"] != "failed", batch["errors"]
        return
    assert batch["status"] == "failed"
    line, code, _ = (*expected.split(), "")[:3]
    first = batch["errors"]["data"][0]
    assert first["code"] == code
    assert first["line"] in ((None, 1) if line == "0" else (int(line),))


@pytest.mark.parametrize(
    "case", [one for one in CASES if isinstance(one.values[0], Case) and one.values[0].rows]
)
async def test_rows(gateway: Gateway, account: Account, case: Case) -> None:
    """SubmitBatch says the same of rows, where the fault is of a kind that rows can have."""
    messages = [
        pb.SubmitBatchRequest(
            metadata=pb.SubmitBatchMetadata(provider=case.kind, endpoint=case.endpoint)
        ),
        pb.SubmitBatchRequest(lines=pb.BatchLines(lines=case.rows)),
    ]
    expected = case.value("rows", [code for _, code, _ in case.found("issues")])
    if expected:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await gateway.batches.SubmitBatch(iter(messages))
        failure = failure_of(raised.value)
        assert failure.reason == "INVALID_JSONL"
        assert [one.split(":")[0] for one in failure.fields.values()] == expected
        assert await account.file_ids(azure=case.kind != "openai") == []
    elif case.value("sandbox") == 400 and not case.case.get("filename"):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await gateway.batches.SubmitBatch(iter(messages))
        assert failure_of(raised.value).reason == "PROVIDER_REJECTED"
    else:
        answer = await gateway.batches.SubmitBatch(iter(messages))
        assert of_report(answer.report.warnings) == case.found("warnings")
        assert ended(door(case, account), answer.batch.id)["status"] != "failed"


def test_a_difference_has_a_reason() -> None:
    """Where the check passes what the sandbox refuses."""
    for one in CASES:
        case = one.values[0]
        assert isinstance(case, Case)
        looser = case.value("sandbox") is not None and not case.found("issues")
        assert not looser or case.case["differs"]


def door(case: Case, account: Account) -> Door:
    return Door(account.url, account.key, DOORS[case.kind], CLIENT)


CLIENT = httpx.Client(timeout=30)


def ended(there: Door, batch_id: str) -> dict[str, Any]:
    """A batch that is validated."""
    found: dict[str, Any] = {}

    def look() -> bool:
        found.update(there.get(f"/batches/{batch_id}"))
        return bool(found["status"] != "validating")

    eventually(look, within=60)
    return found
