"""What checking and rewriting cost an upload: `python -m tests.benchmarks.checks`.

A file of 180 MB with 50,000 lines, the most that OpenAI takes, goes to three profiles in turns: lines
not looked at, checked, and checked with the model of each replaced.
"""

import argparse
import json
import time
from collections.abc import AsyncIterator, Iterator

import grpc
import uvloop

from batchgate.v1 import file_service_pb2 as pb
from tests.benchmarks import processes
from tests.benchmarks.figures import Figure, table
from tests.benchmarks.processes import CHUNK_BYTES
from tests.benchmarks.transfers import ANSWER, SERVICE, channel_to

LINES, LINE_BYTES = 50_000, 3_800
CONFIGURATION = """
[providers.plain]
kind = "openai"
base_url = "{url}"
api_key = {{ env = "OPENAI_API_KEY" }}
[providers.aliased]
kind = "openai"
base_url = "{url}"
api_key = {{ env = "OPENAI_API_KEY" }}
models = {{ "gpt-4o-mini" = "my-deployment" }}
"""
# A name, the profile and whether lines are looked at.
WAYS = (
    ("not looked at", "plain", pb.JSONL_CHECK_OFF),
    ("checked", "plain", pb.JSONL_CHECK_STRICT),
    ("rewritten", "aliased", pb.JSONL_CHECK_STRICT),
)


def content() -> bytes:
    """The file."""
    text = "All work and no play makes Jack a dull boy. " * 100
    lines = []
    for number in range(LINES):
        message = {"role": "user", "content": f"{number} {text}"[: LINE_BYTES - 160]}
        line = {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "gpt-4o-mini", "messages": [message]},
        }
        lines.append(json.dumps(line).encode())
    return b"\n".join(lines) + b"\n"


async def upload(
    channel: grpc.aio.Channel,
    chunks: list[bytes],
    *,
    provider: str,
    check: pb.JsonlCheck.ValueType,
) -> pb.UploadReport:
    """One upload of messages that are serialized beforehand."""
    metadata = pb.UploadFileMetadata(
        provider=provider, filename="requests.jsonl", purpose="batch", jsonl_check=check
    )

    async def messages() -> AsyncIterator[bytes]:
        yield pb.UploadFileRequest(metadata=metadata).SerializeToString()
        for chunk in chunks:
            yield chunk

    call: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
    call = channel.stream_unary(f"{SERVICE}/UploadFile")
    return pb.UploadFileResponse.FromString(await call(messages(), timeout=60)).report


async def measure(*, repeats: int) -> dict[str, list[float]]:
    """MB/s of each way, all ways in turns."""
    file = content()
    chunks = [
        pb.UploadFileRequest(chunk=file[start : start + CHUNK_BYTES]).SerializeToString()
        for start in range(0, len(file), CHUNK_BYTES)
    ]
    rates: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    with (
        processes.canned_provider(ANSWER) as provider,
        processes.gateway(provider, configuration=CONFIGURATION.format(url=provider)) as gateway,
    ):
        async with channel_to(gateway.address) as channel:
            for _ in range(repeats):
                for name, profile, check in WAYS:
                    start = time.perf_counter()
                    report = await upload(channel, chunks, provider=profile, check=check)
                    rates[name].append(len(file) / 1e6 / (time.perf_counter() - start))
                    assert report.rewritten_lines == (LINES if name == "rewritten" else 0)
    return rates


def figures(*, repeats: int) -> Iterator[Figure]:
    """All of this module's figures."""
    rates = uvloop.run(measure(repeats=repeats))
    for name, at_least in (("not looked at", None), ("checked", 400), ("rewritten", 200)):
        yield Figure(f"upload, lines {name}", "MB/s", rates[name], at_least=at_least)
    more = [
        (plain / checked - 1) * 100
        for plain, checked in zip(rates["not looked at"], rates["checked"], strict=True)
    ]
    yield Figure("checks add to the time", "percent", more, at_most=15)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    list(table("Checked uploads", figures(repeats=parser.parse_args().repeats)))
