"""Batches of lines that ask the sandbox for what is to become of them."""

import json
from typing import Any

import httpx

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from tests.conftest import Account, Gateway, OpenGateway, profiles

ENDPOINT = "/v1/chat/completions"
WATCH = {"first_poll_seconds": 0.01, "slowest_poll_seconds": 0.05}
"""So that a wait is over soon: the sandbox's batches live for a tenth of a second."""


def line(custom_id: str, *, text: str = "Hi", **wish: object) -> bytes:
    """A line of an input file; `wish` is for the sandbox, see `batchgate_sandbox.directives`."""
    body: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}
    if wish:
        body["sandbox"] = wish
    request = {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(request, ensure_ascii=False).encode() + b"\n"


async def created(
    gateway: Gateway, content: bytes, *, provider: str = "", **batch: Any
) -> batch_pb2.Batch:
    """A batch of these lines, just created."""
    file = (await gateway.upload(content, provider=provider)).file
    request = pb.CreateBatchRequest(
        provider=provider, input_file_id=file.id, endpoint=ENDPOINT, **batch
    )
    return (await gateway.batches.CreateBatch(request)).batch


async def ended(gateway: Gateway, batch_id: str, *, provider: str = "") -> batch_pb2.Batch:
    """A batch when it is terminal."""
    request = pb.WaitBatchRequest(provider=provider, batch_id=batch_id)
    answer = await gateway.batches.WaitBatch(request)
    assert answer.done
    return answer.batch


async def done(
    gateway: Gateway, content: bytes, *, provider: str = "", **batch: Any
) -> batch_pb2.Batch:
    """A batch of these lines, when it is terminal."""
    new = await created(gateway, content, provider=provider, **batch)
    return await ended(gateway, new.id, provider=provider)


async def results(gateway: Gateway, batch_id: str, **request: Any) -> list[pb.BatchResult]:
    """All rows of a batch."""
    asked = pb.StreamBatchResultsRequest(batch_id=batch_id, **request)
    stream = gateway.batches.StreamBatchResults(asked)
    return [row async for message in stream for row in message.results]


async def outcomes(gateway: Gateway, batch_id: str, **request: Any) -> dict[str, bool]:
    """Whether each row of a batch succeeded."""
    rows = await results(gateway, batch_id, **request)
    found = {row.custom_id: row.succeeded for row in rows}
    assert len(found) == len(rows)
    return found


async def metadata_at(account: Account, batch_id: str) -> dict[str, str]:
    """A batch's metadata as OpenAI's side of the sandbox has it."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"{account.url}/v1/batches/{batch_id}",
            headers={"authorization": f"Bearer {account.key}"},
        )
        return answer.json()["metadata"] or {}


async def batch_count(account: Account) -> int:
    """How many batches OpenAI's side of the sandbox has."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            f"{account.url}/v1/batches", headers={"authorization": f"Bearer {account.key}"}
        )
        return len(answer.json()["data"])


async def quick_gateway(account: Account, open_gateway: OpenGateway, **settings: Any) -> Gateway:
    """A gateway with the four profiles that looks often."""
    return await open_gateway(
        {
            "providers": profiles(account),
            "default_provider": "openai",
            "watch": WATCH,
            **settings,
        }
    )
