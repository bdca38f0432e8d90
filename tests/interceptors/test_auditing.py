"""The audit log: a record for each call that changes something or is refused, and none for others."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import (
    batch_service_pb2,
    file_service_pb2,
    provider_service_pb2,
)
from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.callers.tokens import digest
from batchgate_server.interceptors.auditing import READING
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.services.calls import CALLS, call, failed
from tests.services.rows import WATCH, done, line
from tests.status import failure_of
from tests.waiting import arrived, eventually

FIELDS = {
    *("time", "event", "caller", "peer", "method", "provider", "ids", "code", "reason"),
    *("may_exist", "received_bytes", "request_id", "provider_request_id"),
}
CHANGING = {
    *("UploadFile", "DeleteFile", "CreateBatch", "CancelBatch", "SubmitBatch", "RetryBatch"),
}
TOKEN = "bg_token-of-team-a"


class AuditFile:
    """What stands in the audit log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self, event: str = "call") -> list[dict[str, Any]]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [one for one in map(json.loads, lines) if one["event"] == event]

    async def one(self, event: str = "call") -> dict[str, Any]:
        """The only record of this kind, once it is there."""
        await eventually(lambda: self.records(event))
        (record,) = self.records(event)
        return record


@pytest.fixture
def audit(tmp_path: Path) -> AuditFile:
    return AuditFile(tmp_path / "audit.jsonl")


def settings_of(account: Account, file: object, **more: Any) -> dict[str, Any]:
    return {
        "providers": profiles(account),
        "default_provider": "openai",
        "audit": {"file": str(file)},
        "watch": WATCH,
        **more,
    }


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway, audit: AuditFile) -> Gateway:
    return await open_gateway(settings_of(account, audit.path))


def test_every_rpc_changes_something_or_only_reads() -> None:
    methods = {
        f"/{service.full_name}/{method.name}"
        for module in (file_service_pb2, batch_service_pb2, provider_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    changing = {method for method in methods if method.rpartition("/")[2] in CHANGING}
    assert len(changing) == len(CHANGING)
    assert changing | READING == methods
    assert not changing & READING


def submission(**metadata: Any) -> Iterator[pb.SubmitBatchRequest]:
    submit = pb.SubmitBatchMetadata(endpoint="/v1/embeddings", **metadata)
    yield pb.SubmitBatchRequest(metadata=submit)
    lines = [pb.BatchLine(custom_id="a", body_json='{"model": "m"}')]
    yield pb.SubmitBatchRequest(lines=pb.BatchLines(lines=lines))


async def changed(gateway: Gateway, name: str, provider: str) -> tuple[dict[str, str], int]:
    """Make a call that changes something; what its record has to say of ids and bytes."""
    content = line("a") + line("b", fail=400)
    asked: dict[str, Any] = {"provider": provider}
    if name == "SubmitBatch":
        submitted = await gateway.batches.SubmitBatch(submission(provider=provider))
        ids = {"created_file_id": submitted.file.id, "created_batch_id": submitted.batch.id}
        return ids, submitted.report.received_bytes
    if name == "RetryBatch":
        batch = await done(gateway, content, provider=provider)
        retry = pb.RetryBatchRequest(**asked, batch_id=batch.id)
        retried = await gateway.batches.RetryBatch(retry)
        made = {"created_file_id": retried.file.id, "created_batch_id": retried.batch.id}
        return {"batch_id": batch.id, **made}, 0
    file = (await gateway.upload(content, provider=provider)).file
    if name == "UploadFile":
        return {"created_file_id": file.id}, len(content)
    if name == "DeleteFile":
        delete = file_service_pb2.DeleteFileRequest(**asked, file_id=file.id)
        await gateway.files.DeleteFile(delete)
        return {"file_id": file.id, "deleted_file_id": file.id}, 0
    create = pb.CreateBatchRequest(**asked, input_file_id=file.id, endpoint="/v1/chat/completions")
    batch = (await gateway.batches.CreateBatch(create)).batch
    if name == "CreateBatch":
        return {"input_file_id": file.id, "created_batch_id": batch.id}, 0
    await gateway.batches.CancelBatch(pb.CancelBatchRequest(**asked, batch_id=batch.id))
    return {"batch_id": batch.id}, 0


@pytest.mark.parametrize("provider", ["openai", "azure"])
@pytest.mark.parametrize("name", sorted(CHANGING))
async def test_a_call_that_changes_something(
    gateway: Gateway, audit: AuditFile, name: str, provider: str
) -> None:
    ids, size = await changed(gateway, name, provider)

    def found() -> list[dict[str, Any]]:
        return [one for one in audit.records() if one["method"].endswith(f"/{name}")]

    await eventually(found)
    (record,) = found()
    assert record.keys() == FIELDS
    assert (record["code"], record["reason"], record["may_exist"]) == ("OK", "", "")
    assert record["ids"] == ids
    assert (record["provider"], record["caller"]) == (provider, "")
    assert record["received_bytes"] == size
    assert record["peer"].startswith("unix:")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    assert re.fullmatch("[0-9a-f]{32}", record["request_id"])
    assert record["provider_request_id"]


async def test_what_reads_leaves_nothing(gateway: Gateway, audit: AuditFile) -> None:
    for name in ("ListFiles", "ListBatches", "ListProviders"):
        await call(gateway, name)
    assert (await failed(gateway, "GetFile")).reason == "PROVIDER_NOT_FOUND"
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.download("file-1")
    assert (await failed(gateway, "GetBatch", provider="nobody")).reason == "PROVIDER_UNKNOWN"
    await failed(gateway, "DeleteFile")
    assert (await audit.one())["method"] == "/batchgate.v1.FileService/DeleteFile"


async def test_a_change_that_fails_is_told_with_its_reason(
    gateway: Gateway, audit: AuditFile, account: Account
) -> None:
    await failed(gateway, "CancelBatch", batch_id="batch_x", _metadata=[("x-request-id", "mine")])
    record = await audit.one()
    assert (record["code"], record["reason"]) == ("NOT_FOUND", "PROVIDER_NOT_FOUND")
    assert record["ids"] == {"batch_id": "batch_x"}
    assert record["request_id"] == "mine"


async def test_a_batch_that_was_there_is_not_a_created_one(
    gateway: Gateway, audit: AuditFile
) -> None:
    file = (await gateway.upload(line("a"))).file
    request = pb.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", request_id="r"
    )
    first = (await gateway.batches.CreateBatch(request)).batch
    again = (await gateway.batches.CreateBatch(request)).batch
    assert first.id == again.id
    await eventually(lambda: len(audit.records()) == 3)
    _, one, two = audit.records()
    assert one["ids"] == {"input_file_id": file.id, "created_batch_id": first.id}
    assert two["ids"] == {"input_file_id": file.id, "found_batch_id": first.id}


@pytest.mark.parametrize("request_id", ["r", ""])
async def test_what_comes_to_be_when_the_caller_has_gone(
    gateway: Gateway, audit: AuditFile, account: Account, request_id: str
) -> None:
    file = (await gateway.upload(line("a"))).file
    audit.path.write_text("")
    await account.fault(kind="delay", delay=0.3, method="POST", path="*/batches")
    request = pb.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", request_id=request_id
    )
    creating = asyncio.ensure_future(gateway.batches.CreateBatch(request))
    await arrived(account, "POST", "/batches")
    creating.cancel()
    record = await audit.one()
    assert (record["code"], record["may_exist"]) == ("CANCELLED", "batch")
    assert record["ids"] == {"input_file_id": file.id}
    late = await audit.one("late")
    assert late["request_id"] == record["request_id"]
    assert (late["method"], late["provider"]) == (record["method"], "openai")
    batches = await gateway.batches.ListBatches(pb.ListBatchesRequest())
    assert late["ids"] == {"created_batch_id": batches.batches[0].id}


async def test_an_upload_that_is_undone_behind_its_caller(
    gateway: Gateway, audit: AuditFile, account: Account
) -> None:
    await account.fault(kind="answer", status=400, delay=0.3, method="POST", path="*/batches")
    submitting = asyncio.ensure_future(gateway.batches.SubmitBatch(submission()))
    await arrived(account, "POST", "/batches")
    submitting.cancel()
    record, late = await audit.one(), await audit.one("late")
    assert (record["code"], record["may_exist"]) == ("CANCELLED", "batch")
    file_id = record["ids"]["created_file_id"]
    assert record["ids"] == {"created_file_id": file_id}
    assert late["ids"] == {"created_file_id": file_id, "deleted_file_id": file_id}
    assert await account.file_ids() == []


@pytest.mark.parametrize("seconds", [1.5, None])
async def test_an_upload_whose_caller_has_gone_behind_its_last_byte(
    gateway: Gateway, audit: AuditFile, account: Account, seconds: float | None
) -> None:
    """By its deadline, or since it cancels: the file that comes of it is named, and deleted again."""
    delay = seconds + 1 if seconds else 0.5
    await account.fault(kind="delay", delay=delay, method="POST", path="*/files")
    messages = upload_messages(line("a"), filename="a.jsonl", purpose="batch")
    uploading = asyncio.ensure_future(gateway.files.UploadFile(messages, timeout=seconds))
    running = gateway.application._draining._running
    await eventually(lambda: [one for one in running.values() if one.creating])
    if seconds is None:
        uploading.cancel()
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await uploading
    record = await audit.one()
    assert record["code"] == ("DEADLINE_EXCEEDED" if seconds else "CANCELLED")
    assert (record["may_exist"], record["ids"]) == ("file", {})
    await eventually(lambda: len(audit.records("late")) == 2)
    created, deleted = audit.records("late")
    file_id = created["ids"]["created_file_id"]
    assert deleted["ids"] == {"created_file_id": file_id, "deleted_file_id": file_id}
    assert created["request_id"] == record["request_id"]
    assert await account.file_ids() == []


# --------------------------------------------------------------------------- who is refused


@pytest.fixture
async def closed(account: Account, open_gateway: OpenGateway, audit: AuditFile) -> Gateway:
    """A gateway for one caller, who may read a little."""
    caller = {
        "token_sha256": [digest(TOKEN)],
        "allow": ["files.read"],
        "providers": ["openai"],
        "calls_per_second": 0.0001,
    }
    return await open_gateway(settings_of(account, audit.path, callers={"team-a": caller}))


def shown(token: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {token}")]


@pytest.mark.parametrize("name", list(CALLS))
async def test_a_call_of_nobody_known(closed: Gateway, audit: AuditFile, name: str) -> None:
    failure = await failed(closed, name, _metadata=shown("bg_another"))
    assert failure.reason == "CALLER_UNAUTHENTICATED"
    record = await audit.one()
    assert (record["code"], record["reason"]) == ("UNAUTHENTICATED", "CALLER_UNAUTHENTICATED")
    assert (record["caller"], record["method"].rpartition("/")[2]) == ("", name)
    asked = {key: value for key, value in CALLS[name][1].items() if key.endswith("_id")}
    assert record["ids"] == asked
    assert "bg_another" not in audit.path.read_text()


@pytest.mark.parametrize(
    ("name", "provider", "ids"),
    [
        # No method of this caller's, whatever it asks for.
        ("GetBatch", "", {"batch_id": "batch_1"}),
        ("GetFile", "azure", {"file_id": "file-1"}),
    ],
)
async def test_a_call_that_the_caller_may_not_make(
    closed: Gateway, audit: AuditFile, name: str, provider: str, ids: dict[str, str]
) -> None:
    failure = await failed(closed, name, provider=provider, _metadata=shown(TOKEN))
    assert failure.reason == "CALLER_NOT_PERMITTED"
    record = await audit.one()
    assert (record["code"], record["caller"]) == ("PERMISSION_DENIED", "team-a")
    assert (record["provider"], record["ids"]) == (provider, ids)
    assert TOKEN not in audit.path.read_text()
    assert digest(TOKEN) not in audit.path.read_text()


async def test_a_call_over_the_limit(closed: Gateway, audit: AuditFile) -> None:
    await call(closed, "ListFiles", _metadata=shown(TOKEN))
    assert (await failed(closed, "ListFiles", _metadata=shown(TOKEN))).reason == "CALLER_LIMIT"
    record = await audit.one()
    assert (record["code"], record["caller"]) == ("RESOURCE_EXHAUSTED", "team-a")
    assert record["method"] == "/batchgate.v1.FileService/ListFiles"


# --------------------------------------------------------------------------- from outside


@pytest.mark.parametrize(
    "text",
    [
        'x"}\n{"event": "call", "caller": "admin"}',
        "x\u2028y\u2029z\x85",
        "\x1b[2J\x9b31m\x07\r",
        "\u202egnp.exe",
        "x" * 10_000,
        "ä" * 10_000,
        "\\" * 1000,
        '"' * 1000,
        "../../etc/%2f..",
    ],
    ids=["json", "line ends", "terminal", "bidi", "long", "non-ascii", "\\", "quotes", "path"],
)
async def test_what_callers_send_stays_a_text_in_its_place(
    gateway: Gateway, audit: AuditFile, text: str
) -> None:
    await failed(gateway, "DeleteFile", file_id=text, provider="openai")
    await failed(gateway, "CancelBatch", batch_id=text)
    with pytest.raises(grpc.aio.AioRpcError):
        await gateway.files.UploadFile(
            upload_messages(b"{}", filename=text, purpose=text, provider=text)
        )
    await eventually(lambda: len(audit.records()) == 3)
    raw = audit.path.read_bytes()
    assert all(0x20 <= byte < 0x7F or byte == 0x0A for byte in raw)
    # The start, and one for each call.
    lines = raw.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) < 4096
    delete, cancel, upload = audit.records()
    assert delete["ids"]["file_id"][:3] == cancel["ids"]["batch_id"][:3]
    assert len(delete["ids"]["file_id"]) <= 512
    assert upload["provider"] == ""
    assert all(one["caller"] == "" for one in audit.records())


async def test_neither_contents_nor_names_of_files_are_kept(
    gateway: Gateway, audit: AuditFile
) -> None:
    content = b'{"custom_id": "content-of-the-file"}\n'
    await gateway.files.UploadFile(
        upload_messages(content, filename="name-of-the-file.jsonl", purpose="batch"),
        metadata=[("x-secret", "metadata-of-the-call")],
    )
    await audit.one()
    text = audit.path.read_text()
    for word in ("content-of", "name-of", "metadata-of", "sk-"):
        assert word not in text


async def test_many_at_once_each_have_a_line(gateway: Gateway, audit: AuditFile) -> None:
    numbers = range(60)
    await asyncio.gather(
        *(failed(gateway, "DeleteFile", file_id=f"file-{number}") for number in numbers)
    )
    await eventually(lambda: len(audit.records()) == len(numbers))
    assert {one["ids"]["file_id"] for one in audit.records()} == {f"file-{n}" for n in numbers}


# --------------------------------------------------------------------------- where it is written


async def test_without_a_file_nothing_is_kept_and_nothing_refused(
    account: Account, open_gateway: OpenGateway, tmp_path: Path
) -> None:
    gateway = await open_gateway({"providers": profiles(account), "default_provider": "openai"})
    await gateway.upload(b"{}\n")
    assert [name for name in os.listdir(tmp_path) if not name.endswith(".sock")] == []  # noqa: PTH208 - not in a loop


async def test_the_file_is_for_nobody_else_and_is_appended_to(
    account: Account, open_gateway: OpenGateway, audit: AuditFile
) -> None:
    audit.path.write_text('{"event": "of yesterday"}\n')
    audit.path.chmod(0o640)
    await open_gateway(settings_of(account, audit.path))
    assert audit.records("of yesterday")
    assert (await audit.one("start"))["address"].startswith("unix:")
    assert audit.path.stat().st_mode & 0o777 == 0o640, "what is there stays as it is"
    new = audit.path.with_name("new.jsonl")
    await open_gateway(settings_of(account, new))
    assert new.stat().st_mode & 0o777 == 0o600


async def test_the_end_is_told(
    account: Account, open_gateway: OpenGateway, audit: AuditFile
) -> None:
    gateway = await open_gateway(settings_of(account, audit.path))
    call_ = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a", purpose="vision"):
        await call_.write(message)
    await arrived(account, "POST", "/files")
    await gateway.application.stop(0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call_
    assert failure_of(caught.value).reason == "SERVER_DRAINING"
    lines = [json.loads(one) for one in audit.path.read_text().splitlines()]
    assert [(one["event"], one.get("reason")) for one in lines] == [
        ("start", None),
        ("call", "SERVER_DRAINING"),
        ("stop", None),
    ]


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """A named pipe that is as small as can be, and the end that reads from it."""
    path = tmp_path / "audit.pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


def read_all(reader: int) -> bytes:
    content = b""
    while True:
        try:
            piece = os.read(reader, 65536)
        except BlockingIOError:
            return content
        content += piece


async def test_no_change_without_a_record(account: Account, open_gateway: OpenGateway) -> None:
    gateway = await open_gateway(settings_of(account, "/dev/full"))
    # The start could not be recorded.
    failure = await failed(gateway, "DeleteFile")
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "AUDIT_UNAVAILABLE")
    assert failure.retry_seconds
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(b"{}\n")
    assert failure_of(caught.value).reason == "AUDIT_UNAVAILABLE"
    assert await account.requests() == []
    await call(gateway, "ListFiles")


async def test_an_audit_log_that_is_not_required(
    account: Account, open_gateway: OpenGateway
) -> None:
    audit = {"file": "/dev/full", "required": False}
    with capture_logs() as lines:
        gateway = await open_gateway(settings_of(account, "") | {"audit": audit})
        await gateway.upload(b"{}\n")
        await eventually(lambda: [one for one in lines if one["event"] == "rpc"])
    (problem,) = [one for one in lines if one["event"] == "the audit log cannot be written"]
    assert (problem["problem"], problem["log_level"]) == ("No space left on device", "error")
    lost = [one for one in lines if one["event"] == "not in the audit log"]
    assert [one["record"] for one in lost] == ["start", "call"]
    assert lost[1]["ids"]["created_file_id"].startswith("file-")


async def test_a_pipe_that_nobody_reads_is_waited_for_once(
    account: Account, open_gateway: OpenGateway, pipe: tuple[Path, int]
) -> None:
    path, reader = pipe
    gateway = await open_gateway(settings_of(account, path))
    for number in range(2000):
        failure = await failed(gateway, "DeleteFile", file_id=f"{number}-{'x' * 300}")
        if failure.reason == "AUDIT_UNAVAILABLE":
            break
    else:
        pytest.fail("the pipe was never full")
    lines = read_all(reader).splitlines()
    # All but the one by which it was seen, and the one that was refused.
    assert [json.loads(one)["event"] for one in lines] == ["start"] + ["call"] * (number - 1)
    # It is read again, and says what it lacks.
    await failed(gateway, "DeleteFile", file_id="file-last")

    def more() -> list[dict[str, Any]]:
        lines.extend(read_all(reader).splitlines())
        return [json.loads(one) for one in lines[number:]]

    await eventually(lambda: len(more()) == 2)
    lost, last = more()
    assert (lost["event"], lost["records"]) == ("lost", 1)
    assert last["ids"] == {"file_id": "file-last"}


async def test_a_pipe_whose_reader_has_gone(
    account: Account, open_gateway: OpenGateway, pipe: tuple[Path, int]
) -> None:
    path, reader = pipe
    gateway = await open_gateway(settings_of(account, path))
    spare = os.dup(reader)
    os.dup2(os.open(os.devnull, os.O_RDONLY), reader)
    os.close(spare)
    assert (await failed(gateway, "DeleteFile")).reason == "PROVIDER_NOT_FOUND"
    assert (await failed(gateway, "DeleteFile")).reason == "AUDIT_UNAVAILABLE"
    reopened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert (await failed(gateway, "DeleteFile")).reason == "PROVIDER_NOT_FOUND"
    os.close(reopened)
