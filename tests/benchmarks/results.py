"""StreamBatchResults and RetryBatch at full speed: `python -m tests.benchmarks.results`.

The gateway runs on a core of its own; the provider, which makes rows of about 1.2 kB as it sends
them, and the caller share another. Rates are given by the clock and by the gateway's own time on
its core, which waiting for the others does not spoil; memory is the gateway's peak.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import psutil

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import batch_service_pb2_grpc

GATEWAY_CORE, OTHER_CORE = 0, -1
METHOD = "/batchgate.v1.BatchService/StreamBatchResults"
BLOCK = 1000
BODY = {
    "id": "chatcmpl-9a8b7c6d5e4f",
    "object": "chat.completion",
    "created": 1711493163,
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": 'It said "yes".\n' + "word " * 105},
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 22,
        "completion_tokens": 2,
        "total_tokens": 24,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    },
    "system_fingerprint": None,
}


def _row(document: dict[str, Any]) -> bytes:
    return json.dumps({"custom_id": "request-%08d", **document}).encode() + b"\n"


def _answer(status: int) -> bytes:
    response = {"status_code": status, "request_id": "req_0123456789abcdef", "body": BODY}
    return _row({"id": "batch_req_0123456789abcdef", "response": response, "error": None})


# A file's name says which rows it has: the first number, the step, the number of rows.
ROWS = {
    "output": _answer(200),
    "error": _answer(500),
    "input": _row({"method": "POST", "url": "/v1/chat/completions", "body": BODY}),
}


class Provider(BaseHTTPRequestHandler):
    """Knows batches `batch_OUTPUT_ERROR` (numbers of rows), whose rows take turns if there are both."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.removesuffix("/content")
        *_, name = path.split("/")
        if "/batches/" in path:
            self._send(batch(name))
            return
        kind, first, step, count = name.split("-")
        numbers = range(int(first), int(first) + int(step) * int(count), int(step))
        self.send_response(200)
        self.send_header("content-length", str(len(ROWS[kind] % 0) * len(numbers)))
        self.end_headers()
        for begin in range(0, len(numbers), BLOCK):
            part = numbers[begin : begin + BLOCK]
            self.wfile.write(b"".join([ROWS[kind] % number for number in part]))

    def do_POST(self) -> None:
        if self.path.endswith("/files"):
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
            self._send({"id": "file-new", "object": "file", "status": "processed"})
        else:
            self.rfile.read(int(self.headers["content-length"]))
            self._send({"id": "batch_new", "object": "batch", "status": "validating"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def _send(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def batch(name: str) -> dict[str, Any]:
    """A completed batch with so many rows."""
    output, error = map(int, name.split("_")[1:])
    step = 2 if error else 1
    return {
        "id": name,
        "status": "completed",
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "input_file_id": f"input-0-1-{output + error}",
        "output_file_id": f"output-0-{step}-{output}",
        "error_file_id": f"error-1-{step}-{error}" if error else None,
    }


@contextmanager
def started(
    *command: str, core: int, ready: str, **environment: str
) -> Iterator[tuple[psutil.Process, str]]:
    """A process on a core, and the word of its that ends the line which says it is ready."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {cores[core]}),  # noqa: PLW1509 - no threads yet
    )
    assert process.stdout
    try:
        line = next(line for line in process.stdout if ready in line)
        yield psutil.Process(process.pid), line.split()[-1]
    finally:
        process.terminate()
        process.wait()


def raw(channel: grpc.Channel, request: pb.StreamBatchResultsRequest) -> None:
    """Read the stream and leave its messages as bytes."""
    call: Any = channel.unary_stream(METHOD, request_serializer=lambda one: one.SerializeToString())
    for _ in call(request):
        pass


def stub(channel: grpc.Channel, request: pb.StreamBatchResultsRequest) -> None:
    """Read the stream by the generated stub and touch each row."""
    for message in batch_service_pb2_grpc.BatchServiceStub(channel).StreamBatchResults(request):
        for row in message.results:
            assert row.custom_id


def peak_mib(gateway: psutil.Process) -> float:
    """The most memory that the gateway has ever held."""
    with open(f"/proc/{gateway.pid}/status", encoding="ascii") as status:  # noqa: PTH123
        words = next(line for line in status if line.startswith("VmHWM")).split()
    return int(words[1]) / 1024


def measured(what: str, count: int, gateway: psutil.Process, work: Callable[[], object]) -> None:
    """Do the work, and say how fast it was."""
    before, begun = sum(gateway.cpu_times()[:2]), time.perf_counter()
    work()
    seconds = time.perf_counter() - begun
    busy = sum(gateway.cpu_times()[:2]) - before
    sys.stdout.write(
        f"{what:<34} {count:>8} rows {count / seconds:>9,.0f} rows/s by the clock "
        f"{count / busy:>9,.0f} by the gateway's core, peak {peak_mib(gateway):.0f} MiB\n"
    )


def main() -> None:
    """Measure, or be the provider."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--provider", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=850_000, help="of the long output (1 GB)")
    arguments = parser.parse_args()
    if arguments.provider:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        sys.stdout.write(f"ready on {server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
    with ExitStack() as stack:
        _, port = stack.enter_context(
            started("tests.benchmarks.results", "--provider", core=OTHER_CORE, ready="ready")
        )
        gateway, address = stack.enter_context(
            started(
                "batchgate_client",
                *("serve", "--listen", "127.0.0.1:0"),
                core=GATEWAY_CORE,
                ready="listening",
                OPENAI_API_KEY="sk-benchmark",
                OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1",
            )
        )
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[OTHER_CORE]})
        channel = stack.enter_context(grpc.insecure_channel(address))
        short, rows = arguments.rows // 4, arguments.rows
        streams: list[tuple[str, Any, int]] = [
            ("warm", raw, 20_000),
            ("StreamBatchResults, raw bytes", raw, short),
            ("StreamBatchResults, Python stub", stub, short),
            ("StreamBatchResults, raw, long", raw, rows),
        ]
        for what, read, count in streams:
            request = pb.StreamBatchResultsRequest(batch_id=f"batch_{count}_0")
            measured(what, count, gateway, lambda: read(channel, request))  # noqa: B023 - used at once
        retry = batch_service_pb2_grpc.BatchServiceStub(channel).RetryBatch
        request_to_retry = pb.RetryBatchRequest(batch_id="batch_50000_50000")
        measured("RetryBatch", 100_000, gateway, lambda: retry(request_to_retry))


if __name__ == "__main__":
    main()
