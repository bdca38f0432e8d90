"""SubmitBatch of 50,000 rows against the sandbox: `python -m tests.benchmarks.submit`.

The caller is this process and makes its messages beforehand; gateway and sandbox are processes of
their own. Rows have about 1 kB; 250 of them go in a message. Memory is the gateway's peak over what
it had when it was ready.
"""

import argparse
import json
import re
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import uvloop
from google.protobuf.json_format import ParseDict

from batchgate.v1 import batch_service_pb2 as pb
from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, table

ROWS, ROWS_A_MESSAGE = 50_000, 250
MOST_SECONDS = 3
BODY = {
    "messages": [
        {"role": "system", "content": "You answer in one word. " * 8},
        {"role": "user", "content": "Is this review friendly?\n" + "It was a good day. " * 35},
    ],
    "max_tokens": 5,
    "temperature": 0,
}


@contextmanager
def sandbox() -> Iterator[str]:
    """The sandbox, so slow that no batch begins while another call is measured."""
    command = [sys.executable, "-m", "batchgate_client", "sandbox", "--listen", "127.0.0.1:0"]
    with processes.running([*command, "--speed", "real"]) as process:
        assert process.stdout is not None
        found = re.search(rb"OpenAI: (\S+?),", process.stdout.readline())
        if not found:
            sys.exit("the sandbox did not start")
        yield found[1].decode()


def messages(*, structs: bool) -> list[bytes]:
    """The messages of one call after its first, serialized."""
    text = json.dumps(BODY)
    struct = ParseDict(BODY, pb.BatchLine().body_struct)
    rows = [
        pb.BatchLine(custom_id=f"row-{number}", body_struct=struct)
        if structs
        else pb.BatchLine(custom_id=f"row-{number}", body_json=text)
        for number in range(ROWS)
    ]
    return [
        pb.SubmitBatchRequest(
            lines=pb.BatchLines(lines=rows[begin : begin + ROWS_A_MESSAGE])
        ).SerializeToString()
        for begin in range(0, ROWS, ROWS_A_MESSAGE)
    ]


async def submit(address: str, lines: list[bytes], *, request_id: str) -> float:
    """Seconds for one call."""
    metadata = pb.SubmitBatchMetadata(
        endpoint="/v1/chat/completions", model="gpt-4o-mini", request_id=request_id
    )
    first = pb.SubmitBatchRequest(metadata=metadata).SerializeToString()
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
        call = channel.stream_unary("/batchgate.v1.BatchService/SubmitBatch")
        start = time.perf_counter()
        answer = pb.SubmitBatchResponse.FromString(await call(iter([first, *lines])))
        seconds = time.perf_counter() - start
    assert answer.report.line_count == ROWS
    return seconds


def figures(*, repeats: int) -> Iterator[Figure]:
    """Seconds by the clock, rows per second of the gateway's CPU time, and memory."""
    for name, structs in (("body_json", False), ("body_struct", True)):
        lines = messages(structs=structs)
        seconds, rates, memory = [], [], []
        with sandbox() as provider, processes.gateway(provider) as gateway:
            idle = gateway.memory()
            for _ in range(repeats):
                gateway.forget_peak()
                spent = gateway.cpu_seconds()
                request_id = str(uuid.uuid4())
                seconds.append(uvloop.run(submit(gateway.address, lines, request_id=request_id)))
                rates.append(ROWS / (gateway.cpu_seconds() - spent))
                memory.append(gateway.memory("VmHWM") - idle)
        yield Figure(f"50,000 rows, {name}", "s", seconds, at_most=MOST_SECONDS)
        yield Figure(f"50,000 rows, {name}", "rows/CPU s", rates)
        yield Figure(f"50,000 rows, {name}", "MiB over idle", memory)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    for _ in table("SubmitBatch", figures(repeats=parser.parse_args().repeats)):
        pass


if __name__ == "__main__":
    main()
