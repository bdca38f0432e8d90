"""Files of 180 MB through the gateway: speed and memory. `python -m tests.benchmarks.transfers`.

The caller is this process, the provider a few lines of asyncio that keep nothing. Peak memory is
counted over what the gateway had when it was ready, in a gateway of its own for each measurement.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import grpc
import uvloop

from batchgate.v1 import file_service_pb2 as pb
from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.processes import CHUNK_BYTES, FILE_CHUNKS

MEGABYTES = CHUNK_BYTES * FILE_CHUNKS / 1e6
ANSWER = json.dumps(
    {
        "id": "file-1",
        "object": "file",
        "bytes": 1,
        "created_at": 1711471533,
        "filename": "requests.jsonl",
        "purpose": "batch",
        "status": "processed",
    }
)
METADATA = pb.UploadFileRequest(
    metadata=pb.UploadFileMetadata(
        filename="requests.jsonl", purpose="batch", jsonl_check=pb.JSONL_CHECK_OFF
    )
).SerializeToString()
DOWNLOAD = pb.DownloadFileRequest(file_id="file-1").SerializeToString()
SERVICE = "/batchgate.v1.FileService"
Transfer = Callable[[grpc.aio.Channel], Awaitable[None]]


async def upload(channel: grpc.aio.Channel) -> None:
    """One upload of 180 MB in messages of 256 KiB, serialized beforehand."""
    message = pb.UploadFileRequest(chunk=b"x" * CHUNK_BYTES).SerializeToString()

    async def messages() -> AsyncIterator[bytes]:
        yield METADATA
        for _ in range(FILE_CHUNKS):
            yield message

    call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
    call = channel.stream_unary(f"{SERVICE}/UploadFile")
    response = pb.UploadFileResponse.FromString(await call(messages()))
    assert response.report.sent_bytes == FILE_CHUNKS * CHUNK_BYTES


async def download(channel: grpc.aio.Channel) -> None:
    """One download of 180 MB; what each message adds to its chunk is less than 20 bytes."""
    received = messages = 0
    call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
    call = channel.unary_stream(f"{SERVICE}/DownloadFile")
    async for message in call(DOWNLOAD):
        received += len(message)
        messages += 1
    assert 0 <= received - FILE_CHUNKS * CHUNK_BYTES <= 20 * messages


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel with a connection of its own, open."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        await channel.channel_ready()
        yield channel


async def measure(
    transfer: Transfer, *, at_once: int, repeats: int, rest_seconds: float = 0
) -> dict[str, list[float]]:
    """MB/s by the clock and by the gateway's CPU time, and MiB of memory over idle."""
    rates, cpu_rates, memory = [], [], []
    with (
        processes.canned_provider(ANSWER, rest_seconds=rest_seconds) as provider,
        processes.gateway(provider) as gateway,
    ):
        async with channel_to(gateway.address) as channel:
            idle = gateway.memory()
            for _ in range(repeats):
                gateway.forget_peak()
                start, spent = time.perf_counter(), gateway.cpu_seconds()
                await asyncio.gather(*(transfer(channel) for _ in range(at_once)))
                rates.append(at_once * MEGABYTES / (time.perf_counter() - start))
                cpu_rates.append(at_once * MEGABYTES / (gateway.cpu_seconds() - spent))
                memory.append(gateway.memory("VmHWM") - idle)
    return {"rate": rates, "cpu": cpu_rates, "memory": memory}


def figures(*, repeats: int) -> Iterator[Figure]:
    """All of this module's figures."""
    for name, transfer, at_once, rate, memory in (
        ("upload of 180 MB", upload, 1, 400, 64),
        ("four uploads at once", upload, 4, None, 96),
        ("download of 180 MB", download, 1, None, None),
        ("four downloads at once", download, 4, None, None),
    ):
        found = uvloop.run(measure(transfer, at_once=at_once, repeats=repeats))
        yield Figure(name, "MB/s", found["rate"], at_least=rate)
        yield Figure(name, "MB per CPU second", found["cpu"])
        yield Figure(name, "peak MiB over idle", found["memory"], at_most=memory)
    # At most 25 MB/s each: what the caller is ahead must not pile up in the gateway.
    found = uvloop.run(measure(upload, at_once=4, repeats=1, rest_seconds=0.01))
    yield Figure("four, slow provider", "peak MiB over idle", found["memory"], at_most=96)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    list(table("Transfers", figures(repeats=parser.parse_args().repeats)))
