"""No key and no content in anything that the process writes or a caller gets to see.

At the lowest log level, over good calls and bad ones of every kind.
"""

import asyncio
import signal
from functools import partial
from typing import Any

import grpc
import httpx
import pytest

from batchgate.v1 import batch_service_pb2, provider_service_pb2
from batchgate.v1 import file_service_pb2 as pb
from tests.conftest import Account, upload_messages
from tests.process.conftest import Start
from tests.secret_search import secret
from tests.waiting import eventually

CONTENT = secret("content-of-the-file-that-nobody-may-see").encode()
LINE = b'{"custom_id":"' + CONTENT + b'"}\n'


class Seen:
    """What callers saw of calls that went well or not."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.codes: set[str] = set()

    async def add(self, call: Any) -> Any:
        """Wait for a call and note its message, details and trailing metadata."""
        answer = None
        try:
            if hasattr(call, "read"):
                answer = b"".join([piece.chunk async for piece in call])
            else:
                answer = await call
                self.texts.append(str(answer))
        except asyncio.CancelledError:
            assert call.cancelled()
        except grpc.aio.AioRpcError as exc:
            self.texts.append(f"{exc!r} {exc.trailing_metadata()} {exc.initial_metadata()}")
        self.codes.add((await call.code()).name)
        self.texts += [str(await call.trailing_metadata()), str(await call.initial_metadata())]
        return answer


async def spent(account: Account) -> bool:
    """Whether no fault waits for a request any more."""
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{account.url}/_sandbox/faults", params={"key": account.key})
        return not answer.json()["faults"]


FAULTS: list[dict[str, Any]] = [
    {"kind": "answer", "status": 401},
    {"kind": "answer", "status": 400},
    {"kind": "answer", "status": 500},
    {"kind": "answer", "status": 200, "body": "<html>"},
    {"kind": "answer", "status": 302, "headers": {"location": "http://127.0.0.1:1/"}},
    {"kind": "early", "hold": 0.1, "read_bytes": 10},
    {"kind": "reset"},
    {"kind": "cut"},
    {"kind": "hang"},
]


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_neither_keys_nor_contents_are_shown(
    start: Start, account: Account, log_format: str
) -> None:
    gateway = await start("--log-level", "debug", "--log-format", log_format, GRPC_VERBOSITY="info")
    seen = Seen()
    files, batches = gateway.files, gateway.batches

    def upload(**metadata: Any) -> Any:
        fields = {"filename": "a.jsonl", "purpose": "batch", **metadata}
        # grpc.aio's client at times never sees a status that comes while it still writes.
        return files.UploadFile(upload_messages(LINE, **fields), timeout=10)

    for provider in ("openai", "azure"):
        answer = await seen.add(upload(provider=provider))
        assert answer, seen.texts
        request = pb.DownloadFileRequest(provider=provider, file_id=answer.file.id)
        assert await seen.add(files.DownloadFile(request)) == LINE
        await seen.add(files.ListFiles(pb.ListFilesRequest(provider=provider)))
        await seen.add(upload(provider=provider, size_bytes=3))
        await seen.add(upload(provider=provider, sha256="0" * 64))
        await seen.add(upload(provider=provider, purpose="nonsense"))
        await seen.add(
            batches.CreateBatch(
                batch_service_pb2.CreateBatchRequest(
                    provider=provider,
                    input_file_id=answer.file.id,
                    endpoint="/v1/chat/completions",
                )
            )
        )
        # As OpenAI does: the refused key stands in its message.
        body = {"error": {"message": f"Incorrect API key provided: {account.key}.", "code": "x"}}
        key_told = {"kind": "answer", "status": 401, "body": body}
        for fault in (*FAULTS, key_told):
            kinds = ("upload",) if fault["kind"] == "early" else ("upload", "download", "unary")
            for kind in kinds:
                await account.fault(**fault)
                one: Any
                if kind == "upload":
                    one = upload(provider=provider)
                elif kind == "download":
                    one = files.DownloadFile(request)
                else:
                    one = files.GetFile(pb.GetFileRequest(provider=provider, file_id="file-1"))
                if fault["kind"] == "hang":
                    await eventually(partial(spent, account))
                    one.cancel()
                await seen.add(one)
    listing = provider_service_pb2.ListProvidersRequest(check_health=True)
    await seen.add(gateway.providers.ListProviders(listing))
    assert {"OK", "DATA_LOSS", "UNKNOWN", "FAILED_PRECONDITION", "CANCELLED"} <= seen.codes

    gateway.signal(signal.SIGTERM)
    code, output = await gateway.end()
    assert code == 0
    assert output.count("UploadFile") >= 20
    everything = "\n".join([output, *seen.texts])
    assert account.key not in everything
    assert account.key.removeprefix("sk-")[:12] not in everything
    assert account.key[-12:] not in everything
    assert CONTENT.decode() not in everything
    assert httpx.URL(account.url).host in everything, "what may be shown, such as a host, is"
