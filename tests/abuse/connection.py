"""An HTTP/2 connection with flow control and many calls, by `h2`: a client that obeys when it likes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

LARGEST_FRAME = 16384


@dataclass
class Call:
    """How one call ended, as far as is known."""

    stream: int
    status: int | None = None
    message: str = ""
    over: bool = False


class Connection:
    """A client's connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str
    ) -> None:
        self._reader, self._writer = reader, writer
        self._authority = authority
        self._h2 = H2Connection(
            H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        )
        self._h2.initiate_connection()
        self._calls: dict[int, Call] = {}
        self.terminated = False

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connect to `host:port`."""
        host, _, port = address.rpartition(":")
        connection = cls(*await asyncio.open_connection(host, int(port)), address)
        await connection.flush()
        return connection

    def begin(
        self, method: str, *, headers: Sequence[tuple[str, str]] = (), end: bool = False
    ) -> Call:
        """The headers of a call, which `flush` sends."""
        call = Call(self._h2.get_next_available_stream_id())
        self._calls[call.stream] = call
        self._h2.send_headers(
            call.stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", self._authority),
                ("te", "trailers"),
                ("content-type", "application/grpc"),
                *headers,
            ],
            end_stream=end,
        )
        return call

    def reset(self, call: Call) -> None:
        """Cancel a call."""
        self._h2.reset_stream(call.stream, error_code=8)

    async def call(
        self, method: str, body: bytes, *, headers: Sequence[tuple[str, str]] = ()
    ) -> Call:
        """A call with this body, and its end."""
        call = self.begin(method, headers=headers, end=not body)
        sent = 0
        while sent < len(body) and not call.over:
            room = min(self._h2.local_flow_control_window(call.stream), LARGEST_FRAME)
            if not room:
                await self.flush()
                await self.read()
                continue
            piece = body[sent : sent + room]
            sent += len(piece)
            self._h2.send_data(call.stream, piece, end_stream=sent == len(body))
        await self.flush()
        return await self.ended(call)

    async def ended(self, call: Call) -> Call:
        """A call that is over."""
        while not call.over:
            await self.read()
        return call

    async def flush(self) -> None:
        """Send what is to be sent."""
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()

    async def read(self) -> None:
        """Take what the server sends."""
        data = await self._reader.read(65536)
        try:
            events = self._h2.receive_data(data) if data else [ConnectionTerminated()]
        except ProtocolError:
            # h2 takes nothing more behind a goodbye.
            events = [ConnectionTerminated()]
        for event in events:
            self._note(event)
        await self.flush()

    def _note(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self.terminated = True
            for call in self._calls.values():
                call.over = True
            return
        call = self._calls.get(getattr(event, "stream_id", None) or 0, Call(0))
        if isinstance(event, ResponseReceived | TrailersReceived):
            headers = {str(name): str(value) for name, value in event.headers}
            if "grpc-status" in headers:
                call.status = int(headers["grpc-status"])
                call.message = headers.get("grpc-message", "")
        if isinstance(event, StreamEnded | StreamReset):
            call.over = True

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
