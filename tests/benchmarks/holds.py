"""How long one caller's upload keeps the others waiting: `python -m tests.benchmarks.holds`.

50 callers of GetBatch, who rest between their calls, and a health check every few milliseconds: alone,
and beside one caller who uploads files over and over, in turns. Each file is one line of 4 MiB with half
a surrogate pair and very many repeated values, which is checked and whose model is replaced; files are
checked alone, so that nothing is sent to the provider. Callers and uploads are this process.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchgate.v1 import batch_service_pb2, batch_service_pb2_grpc
from batchgate.v1 import file_service_pb2 as pb
from tests import hostile
from tests.benchmarks import processes
from tests.benchmarks.checks import CONFIGURATION
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.processes import CHUNK_BYTES
from tests.benchmarks.transfers import SERVICE, channel_to
from tests.benchmarks.unary import BATCH, GATEWAY_CORE

REQUEST = batch_service_pb2.GetBatchRequest(provider="plain", batch_id="batch_1")
CALLERS = 50
LINE_BYTES = 4 * 2**20
CALLER_RESTS, HEALTH_RESTS = 0.2, 0.005
ALONE, BESIDE = "alone", "beside an upload"


def messages() -> list[bytes]:
    """One upload, serialized beforehand."""
    metadata = pb.UploadFileMetadata(
        provider="aliased",
        filename="requests.jsonl",
        purpose="batch",
        jsonl_check=pb.JSONL_CHECK_STRICT,
        validate_only=True,
    )
    line = hostile.line("half a pair, then models", LINE_BYTES)
    requests = [pb.UploadFileRequest(metadata=metadata)]
    requests += [
        pb.UploadFileRequest(chunk=line[start : start + CHUNK_BYTES])
        for start in range(0, len(line), CHUNK_BYTES)
    ]
    return [request.SerializeToString() for request in requests]


async def upload(channel: grpc.aio.Channel, serialized: list[bytes]) -> None:
    """One upload, which must have been looked at and rewritten."""

    async def sent() -> AsyncIterator[bytes]:
        for message in serialized:
            yield message

    call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
    call = channel.stream_unary(f"{SERVICE}/UploadFile")
    report = pb.UploadFileResponse.FromString(await call(sent(), timeout=60)).report
    assert report.rewritten_lines == 1, report


@asynccontextmanager
async def uploading(
    address: str, serialized: list[bytes], took: list[float]
) -> AsyncIterator[None]:
    """Uploads one after the other until the block ends."""

    async def work() -> None:
        async with channel_to(address) as channel:
            while True:
                began = time.perf_counter()
                await upload(channel, serialized)
                took.append((time.perf_counter() - began) * 1000)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        ended_early = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not ended_early


async def waited(address: str, *, seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds of each health check, and of each GetBatch."""
    checks: list[float] = []
    calls: list[float] = []
    until = time.perf_counter() + seconds
    async with (
        grpc.aio.insecure_channel(address) as channel,
        grpc.aio.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as health_channel,
    ):
        batches = batch_service_pb2_grpc.BatchServiceStub(channel)
        health: Any = health_pb2_grpc.HealthStub(health_channel)

        async def checker() -> None:
            while (began := time.perf_counter()) < until:
                await health.Check(health_pb2.HealthCheckRequest())
                checks.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(HEALTH_RESTS)

        async def caller(number: int) -> None:
            await asyncio.sleep(number * CALLER_RESTS / CALLERS)
            while (began := time.perf_counter()) < until:
                await batches.GetBatch(REQUEST)
                calls.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(CALLER_RESTS)

        await asyncio.gather(checker(), *map(caller, range(CALLERS)))
    return checks, calls


async def measure(
    *, repeats: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, list[float]], list[float]]:
    """The longest health checks, the 99th percentiles of GetBatch, and what uploads took."""
    longest: dict[str, list[float]] = {ALONE: [], BESIDE: []}
    slowest: dict[str, list[float]] = {ALONE: [], BESIDE: []}
    took: list[float] = []
    serialized = messages()
    with (
        processes.canned_provider(BATCH) as provider,
        processes.gateway(
            provider, core=GATEWAY_CORE, configuration=CONFIGURATION.format(url=provider)
        ) as gateway,
    ):
        await waited(gateway.address, seconds=1)
        for _ in range(repeats):
            for way in (ALONE, BESIDE):
                if way == ALONE:
                    checks, calls = await waited(gateway.address, seconds=seconds)
                else:
                    async with uploading(gateway.address, serialized, took):
                        checks, calls = await waited(gateway.address, seconds=seconds)
                longest[way].append(max(checks))
                slowest[way].append(statistics.quantiles(calls, n=100)[98])
    return longest, slowest, took


def figures(*, repeats: int, seconds: float) -> Iterator[Figure]:
    """All of this module's figures; alone and beside take turns."""
    longest, slowest, took = uvloop.run(measure(repeats=repeats, seconds=seconds))
    for way in (ALONE, BESIDE):
        at_most = 250 if way == BESIDE else None
        yield Figure(f"health check, {way}", "longest ms", longest[way], at_most=at_most)
        yield Figure(f"GetBatch, {CALLERS} callers, {way}", "p99 ms", slowest[way])
    yield Figure("that upload", "ms", took)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    list(table("Held up", figures(repeats=options.repeats, seconds=options.seconds)))
