"""Batches to try things with, and the wait for their ends."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from batchgate.v1 import batch_pb2, batch_service_pb2
from tests.conftest import Gateway

ENDPOINT = "/v1/chat/completions"
TERMINAL = {
    batch_pb2.BATCH_STATUS_COMPLETED,
    batch_pb2.BATCH_STATUS_FAILED,
    batch_pb2.BATCH_STATUS_EXPIRED,
    batch_pb2.BATCH_STATUS_CANCELLED,
}


def lines(count: int, *, model: str = "gpt-4o-mini") -> bytes:
    """An input file of so many requests."""
    requests = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": ENDPOINT,
            "body": {"model": model, "messages": [{"role": "user", "content": "Hi"}]},
        }
        for number in range(count)
    ]
    return b"".join(json.dumps(request).encode() + b"\n" for request in requests)


async def create(
    gateway: Gateway, provider: str, content: bytes | None = None, **fields: Any
) -> batch_pb2.Batch:
    """A new batch of `content`, or of four lines."""
    file = (await gateway.upload(lines(4) if content is None else content, provider=provider)).file
    answer = await gateway.batches.CreateBatch(
        batch_service_pb2.CreateBatchRequest(
            provider=provider, input_file_id=file.id, endpoint=ENDPOINT, **fields
        )
    )
    return answer.batch


async def get(gateway: Gateway, batch: batch_pb2.Batch) -> batch_pb2.Batch:
    """The batch as it is now."""
    request = batch_service_pb2.GetBatchRequest(provider=batch.provider, batch_id=batch.id)
    return (await gateway.batches.GetBatch(request)).batch


async def until(
    gateway: Gateway, batch: batch_pb2.Batch, reached: Callable[[batch_pb2.Batch], bool]
) -> batch_pb2.Batch:
    """The batch as soon as it is as wanted."""
    while True:
        batch = await get(gateway, batch)
        if reached(batch):
            return batch
        await asyncio.sleep(0.01)


async def finished(gateway: Gateway, batch: batch_pb2.Batch) -> batch_pb2.Batch:
    """The batch when it has ended."""
    return await until(gateway, batch, lambda batch: batch.status in TERMINAL)
