"""What watchers cost: `python -m tests.benchmarks.watchers`.

A gateway with its default settings, a sandbox at a real provider's pace, and 1,000 watchers of 10
batches in a third process: upstream polls, and the gateway's share of one core while it watches
(opening and closing the watches not counted).
"""

import argparse
import asyncio
import json
import time
import urllib.request
from typing import Any

import grpc
import psutil

from batchgate.v1 import (
    batch_service_pb2,
    batch_service_pb2_grpc,
    file_service_pb2,
    file_service_pb2_grpc,
)
from batchgate_client.cli.children import Child, running
from batchgate_server.settings import WatchSettings

LOCALLY = "127.0.0.1:0"
KEY = "sk-watchers"
LINES = 60


class Watchers:
    """Many watches on one channel, and what they got."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._files = file_service_pb2_grpc.FileServiceStub(self._channel)
        self._batches = batch_service_pb2_grpc.BatchServiceStub(self._channel)
        self._watches: list[asyncio.Task[None]] = []
        self.messages = 0
        self.begun = asyncio.Semaphore(0)

    async def create(self) -> str:
        metadata = file_service_pb2.UploadFileMetadata(filename="in.jsonl", purpose="batch")
        line = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}}
        rows = [json.dumps({"custom_id": f"line-{n}", **line}) + "\n" for n in range(LINES)]
        messages = [
            file_service_pb2.UploadFileRequest(metadata=metadata),
            file_service_pb2.UploadFileRequest(chunk="".join(rows).encode()),
        ]
        file = (await self._files.UploadFile(iter(messages))).file
        request = batch_service_pb2.CreateBatchRequest(
            input_file_id=file.id, endpoint="/v1/chat/completions"
        )
        return str((await self._batches.CreateBatch(request)).batch.id)

    def watch(self, batch_id: str) -> None:
        self._watches.append(asyncio.create_task(self._watch(batch_id)))

    async def _watch(self, batch_id: str) -> None:
        request = batch_service_pb2.WatchBatchRequest(batch_id=batch_id)
        async for news in self._batches.WatchBatch(request):
            self.messages += 1
            if news.event == batch_service_pb2.WATCH_EVENT_SNAPSHOT:
                self.begun.release()

    async def close(self) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await self._channel.close()


def polls(sandbox: str) -> int:
    """How often the provider has been asked how batches are."""
    with urllib.request.urlopen(f"{sandbox}/_sandbox/requests?key={KEY}") as answer:  # noqa: S310 - our own server
        requests: list[dict[str, Any]] = json.load(answer)["requests"]
    return sum(one["method"] == "GET" and "/batches" in one["path"] for one in requests)


async def measure(
    gateway: Child, sandbox: Child, *, batches: int, watchers: int, seconds: float
) -> dict[str, float]:
    """The figures of one run."""
    (process,) = [one for one in psutil.Process().children() if "serve" in one.cmdline()]
    group = Watchers(gateway.address)
    ids = [await group.create() for _ in range(batches)]
    for number in range(watchers):
        group.watch(ids[number % batches])
    for _ in range(watchers):
        await group.begun.acquire()
    messages, asked = group.messages, polls(sandbox.address)
    begin, spent = time.perf_counter(), sum(process.cpu_times()[:2])
    await asyncio.sleep(seconds)
    passed = time.perf_counter() - begin
    figures = {
        "core %": 100 * (sum(process.cpu_times()[:2]) - spent) / passed,
        "polls": polls(sandbox.address) - asked,
        "intervals": passed / WatchSettings().first_poll_seconds,
        "messages": group.messages - messages,
        "MiB": process.memory_info().rss / 2**20,
    }
    figures["polls/interval"] = figures["polls"] / figures["intervals"]
    await group.close()
    return figures


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=10)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    with running(
        Child("sandbox"), "sandbox", "--listen", LOCALLY, "--speed", "real", environment={}
    ) as sandbox:
        environment = {
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": f"{sandbox.address}/v1",
            "BATCHGATE_LOG__LEVEL": "error",
        }
        with running(
            Child("gateway"), "serve", "--listen", LOCALLY, environment=environment
        ) as gateway:
            figures = asyncio.run(measure(gateway, sandbox, **vars(options)))
    print(  # noqa: T201 - a report
        f"{options.watchers} watchers of {options.batches} batches: "
        + ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    )


if __name__ == "__main__":
    main()
