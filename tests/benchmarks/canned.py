"""A provider that answers as fast as it can: `python -m tests.benchmarks.canned PORT CHUNKS ANSWER`.

With a fourth argument it rests so many seconds after each piece of an upload (at most 256 KiB).
"""

import asyncio
import os
import re
import sys
from typing import cast

import uvloop

CHUNK = b"x" * 2**18
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
CHUNKS = int(sys.argv[2])
REST_SECONDS = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(sys.argv[3]),
    sys.argv[3].encode(),
)


DOWNLOAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


class Provider(asyncio.Protocol):
    """Answers reads at once, and uploads when their last byte has come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.uploading = False
        self.received = 0
        self.left = -1
        self.resumed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if not self.uploading and b"/content HTTP/1.1\r\n" in data[:200]:
            self.sending = asyncio.get_running_loop().create_task(self.send())
            return
        self.uploading = self.uploading or data.startswith(b"POST")
        if not self.received and (length := LENGTH.search(data)):
            # Known beforehand: the body's end is not marked.
            self.left = int(length[1]) + data.index(b"\r\n\r\n") + 4
        self.received += len(data)
        if self.uploading and REST_SECONDS:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(REST_SECONDS, self.transport.resume_reading)
        complete = self.received > CHUNKS * len(CHUNK) and data.endswith(b"0\r\n\r\n")
        if complete or self.received == self.left or not self.uploading:
            self.uploading, self.received, self.left = False, 0, -1
            self.transport.write(ANSWER)

    def pause_writing(self) -> None:
        self.resumed.clear()

    def resume_writing(self) -> None:
        self.resumed.set()

    async def send(self) -> None:
        self.resumed.set()
        self.transport.write(DOWNLOAD)
        for _ in range(CHUNKS):
            self.transport.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
            await self.resumed.wait()
        self.transport.write(b"0\r\n\r\n")


async def provide(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    uvloop.run(provide(int(sys.argv[1])))
