"""The checks and the sandbox held against each other: each case of `golden/jsonl.yaml` through both."""

import bz2
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import yaml
from typer.testing import CliRunner

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_client.cli.program import app
from tests.conftest import Account, Gateway
from tests.sandbox.door import Door, eventually
from tests.status import failure_of

GOLDEN = yaml.safe_load((Path(__file__).parents[1] / "golden" / "jsonl.yaml").read_text())
CHAT = "/v1/chat/completions"
KINDS = {"openai": "openai", "azure": "azure_openai"}
DOORS = {"openai": "openai", "azure": "azure-v1"}
ENVELOPE = {"custom_id", "method", "url", "body"}


@dataclass(frozen=True)
class Case:
    """A case as it is for one kind of provider."""

    case: dict[str, Any]
    kind: str

    def value(self, name: str, default: Any = None) -> Any:
        """A member, which may differ by kind."""
        value = self.case.get(name, default)
        by_kind = isinstance(value, dict) and value.keys() <= KINDS.keys()
        return value.get(self.kind) if by_kind else value

    def found(self, name: str) -> list[tuple[int, str, str]]:
        """The issues or the warnings."""
        words = [(*one.split(), "")[:3] for one in self.value(name, [])]
        return [(int(line), code, param) for line, code, param in words]

    @property
    def endpoint(self) -> str:
        """Where the batch goes."""
        return str(self.value("endpoint", CHAT))

    @property
    def filename(self) -> str:
        """What the file is called."""
        return str(self.case.get("filename", "requests.jsonl"))

    @property
    def lines(self) -> Iterator[dict[str, Any] | str]:
        """The lines as objects, or as texts."""
        for number in range(self.case.get("times", 1) * len(self.case["lines"])):
            changes = self.case["lines"][number % len(self.case["lines"])]
            if isinstance(changes, str):
                yield changes
                continue
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
            whole = {"custom_id": f"r{number + 1}", "method": "POST", "url": CHAT, "body": body}
            whole |= changes
            yield {
                name: value
                for name, value in whole.items()
                if name not in ("without", *changes.get("without", ()))
            }

    @property
    def content(self) -> bytes:
        """The file."""
        if (text := self.case.get("text")) is None:
            newline = self.case.get("newline", "\n")
            lines = (one if isinstance(one, str) else dumped(one) for one in self.lines)
            text = newline.join(lines) + self.case.get("end", newline)
        encoding = self.case.get("encoding", "utf-8")
        passed = {"surrogates": ("utf-8", "surrogatepass")}.get(encoding, (encoding, "strict"))
        content: bytes = bytes.fromhex(self.case.get("prefix", "")) + text.encode(*passed)
        match self.case.get("pack"):
            case "gzip":
                return gzip.compress(content)
            case "bz2":
                return bz2.compress(content)
            case _:
                return content

    @property
    def rows(self) -> list[pb.BatchLine] | None:
        """The same as rows; None where rows cannot say it."""
        if self.case.keys() & {"text", "encoding", "prefix", "pack", "times"}:
            return None
        rows = []
        for line in self.lines:
            if (
                isinstance(line, str)
                or line.keys() != ENVELOPE
                or (line["method"], line["url"]) != ("POST", self.endpoint)
                or not isinstance(line["custom_id"], str)
            ):
                return None
            rows.append(pb.BatchLine(custom_id=line["custom_id"], body_json=dumped(line["body"])))
        return rows


def dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


CASES = [
    pytest.param(Case(case, kind), id=f"{case['name']}-{kind}")
    for case in GOLDEN["cases"]
    for kind in case.get("kinds", KINDS)
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
