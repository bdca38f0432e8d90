"""Files that expire by a profile's default, and uploads that wait until a file is processed."""

from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from batchgate.v1 import batch_pb2, batch_service_pb2, file_pb2, file_service_pb2
from tests.conftest import Account, Gateway, OpenGateway, profiles, upload_messages
from tests.services.test_submit import ENDPOINT, lines, metadata, row, submit
from tests.status import failure_of
from tests.waiting import arrived

DAY = 86400
EXPIRING = ("openai", "azure", "azure-preview")
LINE = (
    b'{"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", '
    b'"body": {"model": "gpt-4o-mini", "messages": []}}\n'
)


@pytest.fixture
async def expiring(account: Account, open_gateway: OpenGateway) -> Gateway:
    lifetimes = {"input_expires_after": "20d", "output_expires_after": 15 * DAY}
    providers = {
        name: {**profile, **(lifetimes if name in EXPIRING else {})}
        for name, profile in profiles(account).items()
    }
    return await open_gateway({"providers": providers})


def lifetime(file: file_pb2.File) -> int:
    """In seconds; 0 if it does not expire."""
    return file.expires_at.seconds - file.created_at.seconds if file.HasField("expires_at") else 0


async def output_lifetime(gateway: Gateway, batch: batch_pb2.Batch) -> int:
    while batch.status != batch_pb2.BATCH_STATUS_COMPLETED:
        request = batch_service_pb2.GetBatchRequest(provider=batch.provider, batch_id=batch.id)
        batch = (await gateway.batches.GetBatch(request)).batch
    listed = await gateway.files.GetFile(
        file_service_pb2.GetFileRequest(provider=batch.provider, file_id=batch.output_file_id)
    )
    return lifetime(listed.file)


@pytest.mark.parametrize("provider", EXPIRING)
async def test_what_a_request_does_not_say(expiring: Gateway, provider: str) -> None:
    submitted = await submit(expiring, metadata(provider), lines(row("a")))
    assert lifetime(submitted.file) == 20 * DAY
    assert await output_lifetime(expiring, submitted.batch) == 15 * DAY

    uploaded = await expiring.upload(LINE, provider=provider)
    assert lifetime(uploaded.file) == 20 * DAY
    created = await expiring.batches.CreateBatch(
        batch_service_pb2.CreateBatchRequest(
            provider=provider, input_file_id=uploaded.file.id, endpoint=ENDPOINT
        )
    )
    assert await output_lifetime(expiring, created.batch) == 15 * DAY


@pytest.mark.parametrize("provider", EXPIRING)
async def test_what_a_request_says_wins(expiring: Gateway, provider: str) -> None:
    asked = Duration(seconds=25 * DAY)
    submitted = await submit(
        expiring,
        metadata(provider, input_expires_after=asked, output_expires_after=asked),
        lines(row("a")),
    )
    assert lifetime(submitted.file) == 25 * DAY
    assert await output_lifetime(expiring, submitted.batch) == 25 * DAY
    uploaded = await expiring.upload(LINE, provider=provider, expires_after=asked)
    assert lifetime(uploaded.file) == 25 * DAY


async def test_files_for_other_purposes_stay(expiring: Gateway) -> None:
    uploaded = await expiring.upload(LINE, provider="openai", purpose="fine-tune")
    assert lifetime(uploaded.file) == 0


async def test_without_a_default_nothing_is_asked_for(gateway: Gateway, account: Account) -> None:
    submitted = await submit(gateway, metadata("azure-dated"), lines(row("a")))
    assert lifetime(submitted.file) == 0


@pytest.mark.parametrize("provider", ["openai", "azure", "azure-dated", "azure-preview"])
async def test_an_upload_that_waits_until_the_file_is_processed(
    gateway: Gateway, provider: str
) -> None:
    answer = await gateway.upload(LINE, provider=provider, wait_until_processed=True)
    assert answer.file.status == file_pb2.FILE_STATUS_PROCESSED


PENDING = {"id": "file-1", "status": "pending"}
LOOKING = {"kind": "answer", "method": "GET", "path": "*/files/*"}


async def test_passing_faults_do_not_end_the_wait(gateway: Gateway, account: Account) -> None:
    """They would be UNAVAILABLE, and clients would upload a second time by themselves."""
    for status in (503, 429, 404, 500):
        await account.fault(status=status, **LOOKING)
    answer = await gateway.upload(LINE, provider="azure-dated", wait_until_processed=True)
    assert answer.file.status == file_pb2.FILE_STATUS_PROCESSED


async def refused(gateway: Gateway, **fields: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await gateway.upload(LINE, wait_until_processed=True, **fields)
    return failure_of(raised.value)


async def test_a_file_that_cannot_be_processed(gateway: Gateway, account: Account) -> None:
    broken = {"id": "file-1", "status": "Error", "status_details": "not a file of lines"}
    await account.fault(status=200, body=broken, **LOOKING)
    failure = await refused(gateway, provider="azure-dated")
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert "file-1: not a file of lines" in failure.message


async def test_a_file_that_is_broken_at_once(gateway: Gateway, account: Account) -> None:
    broken = {"id": "file-1", "status": "error"}
    await account.fault(kind="answer", status=200, body=broken, method="POST", path="*/files")
    failure = await refused(gateway, provider="openai")
    assert failure.reason == "PROVIDER_CONFLICT"
    assert "it does not say why" in failure.message


async def test_a_lasting_fault_names_the_file(gateway: Gateway, account: Account) -> None:
    await account.fault(status=403, **LOOKING)
    failure = await refused(gateway, provider="azure-dated")
    assert failure.reason == "PROVIDER_FORBIDDEN"
    (file_id,) = await account.file_ids(azure=True)
    assert failure.message.endswith(f"the file was uploaded as {file_id}")


async def test_a_file_that_stays_pending(account: Account, open_gateway: OpenGateway) -> None:
    azure = {**profiles(account)["azure-dated"], "timeout_seconds": 0.3}
    gateway = await open_gateway({"providers": {"azure": azure}})
    await account.fault(status=200, body=PENDING, times=None, **LOOKING)
    failure = await refused(gateway)
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CONFLICT")
    assert "has not processed the file" in failure.message


async def test_the_wait_ends_with_the_callers_deadline(gateway: Gateway, account: Account) -> None:
    await account.fault(status=200, body=PENDING, times=None, **LOOKING)
    messages = upload_messages(
        LINE, filename="a.jsonl", purpose="batch", provider="azure-dated", wait_until_processed=True
    )
    call = gateway.files.UploadFile(messages, timeout=1.0)
    await arrived(account, "GET", "/files/")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(await account.file_ids(azure=True)) == 1
