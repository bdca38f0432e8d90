"""The main job on every flavour of provider, over a real channel and real HTTP."""

import asyncio
import hashlib
import json

import pytest

from batchgate.v1 import batch_pb2, batch_service_pb2, file_pb2, file_service_pb2
from tests.conftest import PROFILES, Gateway

TERMINAL = {
    batch_pb2.BATCH_STATUS_COMPLETED,
    batch_pb2.BATCH_STATUS_FAILED,
    batch_pb2.BATCH_STATUS_EXPIRED,
    batch_pb2.BATCH_STATUS_CANCELLED,
}


def requests(count: int) -> bytes:
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]},
        }
        for number in range(count)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def finished(gateway: Gateway, provider: str, batch_id: str) -> batch_pb2.Batch:
    request = batch_service_pb2.GetBatchRequest(provider=provider, batch_id=batch_id)
    while True:
        batch = (await gateway.batches.GetBatch(request)).batch
        if batch.status in TERMINAL:
            return batch
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("provider", PROFILES)
async def test_a_batch_from_upload_to_results(gateway: Gateway, provider: str) -> None:
    content = requests(3)
    digest = hashlib.sha256(content).hexdigest()
    answer = await gateway.upload(
        content, provider=provider, size_bytes=len(content), sha256=digest
    )
    assert answer.report.received_bytes == answer.report.sent_bytes == len(content)
    assert answer.report.sha256 == digest
    assert answer.file.provider == provider
    assert answer.file.purpose == "batch"
    assert answer.file.filename == "requests.jsonl"
    assert await gateway.download(answer.file.id, provider=provider) == content

    created = await gateway.batches.CreateBatch(
        batch_service_pb2.CreateBatchRequest(
            provider=provider,
            input_file_id=answer.file.id,
            endpoint="/v1/chat/completions",
            metadata={"team": "blue"},
        )
    )
    assert created.batch.status == batch_pb2.BATCH_STATUS_VALIDATING
    assert dict(created.batch.metadata) == {"team": "blue"}
    assert created.batch.completion_window == "24h"

    batch = await finished(gateway, provider, created.batch.id)
    assert batch.status == batch_pb2.BATCH_STATUS_COMPLETED
    assert batch.request_counts == batch_pb2.BatchRequestCounts(total=3, completed=3, failed=0)
    lines = (await gateway.download(batch.output_file_id, provider=provider)).splitlines()
    assert {json.loads(line)["custom_id"] for line in lines} == {"line-0", "line-1", "line-2"}

    file = await gateway.files.GetFile(
        file_service_pb2.GetFileRequest(provider=provider, file_id=answer.file.id)
    )
    assert file.file.size_bytes == len(content)
    assert file.file.status in {file_pb2.FILE_STATUS_PROCESSED, file_pb2.FILE_STATUS_UPLOADED}
    deleted = await gateway.files.DeleteFile(
        file_service_pb2.DeleteFileRequest(provider=provider, file_id=answer.file.id)
    )
    assert deleted.deleted
    assert deleted.file_id == answer.file.id
