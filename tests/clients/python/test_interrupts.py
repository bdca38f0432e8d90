"""Ctrl-C where it hurts most: a program of its own, interrupted between gRPC's own steps."""

import asyncio
import signal
import sys

import pytest

# gRPC's channel reads its streams' events in a thread that comes to be with the first of them.
PROGRAM = """
import signal, sys
from grpc import _channel
from batchgate_client import Client

begin_reading = _channel._run_channel_spin_thread

def interrupted(state):
    signal.raise_signal(signal.SIGINT)
    begin_reading(state)

signal.signal(signal.SIGINT, signal.default_int_handler)
_channel._run_channel_spin_thread = interrupted
with Client("127.0.0.1:1") as client:
    try:
        if sys.argv[1] == "upload":
            client.upload_file(b"{}", filename="a.jsonl")
        else:
            next(iter(client.watch_batch("batch_1")))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
print("closed")
"""


@pytest.mark.parametrize("call", ["upload", "watch"])
async def test_a_stream_that_begins_leaves_nothing_that_close_waits_for(call: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, call),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.communicate()
    assert (process.returncode, output) == (0, b"interrupted\nclosed\n")
