"""Calls at a rate that does not wait for answers, as many callers together make them.

A caller of a few lines of HTTP/2: grpc's own could not call twice as often as a gateway answers.
"""

import asyncio
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from tests.http2 import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    grpc_message,
    header_block,
)

PING, GOAWAY, WINDOW_UPDATE = 6, 7, 8
# A table of no size: the server writes each header as it is, so that a status can be found.
NO_TABLE = struct.pack(">HI", 1, 0)
STATUS = b"grpc-status"
TICK_SECONDS = 0.001
PATIENCE_SECONDS = 5.0


@dataclass
class Outcome:
    """What became of the calls: milliseconds of each from its due time on, by gRPC status."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    unanswered: int = 0

    def add(self, status: int, milliseconds: float) -> None:
        """One answer."""
        self.milliseconds.setdefault(status, []).append(milliseconds)

    def counts(self) -> Counter[int]:
        """Answers by status."""
        return Counter({status: len(all_) for status, all_ in self.milliseconds.items()})


class Connection(asyncio.Protocol):
    """Many calls of one method on one connection."""

    _transport: asyncio.Transport

    def __init__(self, address: str, method: str, message: bytes, outcome: Outcome) -> None:
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        block = header_block(headers)
        self._head = struct.pack(">I", len(block))[1:] + bytes([HEADERS, END_HEADERS])
        self._block = block
        body = grpc_message(message)
        self._data = struct.pack(">I", len(body))[1:] + bytes([DATA, END_STREAM])
        self._body = body
        self._outcome = outcome
        self._stream = 1
        self._received = b""
        self.due: dict[int, float] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        room = struct.pack(">I", 2**31 - 1 - 65535)
        self._transport.write(
            PREFACE + frame(SETTINGS, 0, 0, NO_TABLE) + frame(WINDOW_UPDATE, 0, 0, room)
        )

    def call(self, due: list[float]) -> None:
        """Begin a call for each of these times."""
        pieces = []
        for moment in due:
            number = struct.pack(">I", self._stream)
            self.due[self._stream] = moment
            self._stream += 2
            pieces += [self._head, number, self._block, self._data, number, self._body]
        self._transport.write(b"".join(pieces))

    def data_received(self, data: bytes) -> None:
        received, place = self._received + data, 0
        while len(received) - place >= 9:
            end = place + 9 + int.from_bytes(received[place : place + 3])
            if end > len(received):
                break
            kind, flags = received[place + 3], received[place + 4]
            if kind in (HEADERS, RST_STREAM):
                stream = int.from_bytes(received[place + 5 : place + 9])
                if kind == RST_STREAM or flags & END_STREAM:
                    self._ended(stream, received[place + 9 : end])
            elif kind == SETTINGS and not flags & ACK:
                self._transport.write(frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                self._transport.write(frame(PING, ACK, 0, received[place + 9 : end]))
            place = end
        self._received = received[place:]

    def _ended(self, stream: int, trailers: bytes) -> None:
        due = self.due.pop(stream, None)
        if due is None:
            return
        place = trailers.find(STATUS)
        status = -1
        if place >= 0:
            value = place + len(STATUS)
            status = int(trailers[value + 1 : value + 1 + trailers[value]])
        self._outcome.add(status, (time.perf_counter() - due) * 1000)


async def offer(
    address: str,
    method: str,
    message: bytes,
    *,
    rate: float,
    seconds: float,
    connections: int = 4,
    patience: float = PATIENCE_SECONDS,
) -> Outcome:
    """Begin `rate` calls a second for `seconds`, spread over some connections."""
    loop = asyncio.get_running_loop()
    outcome = Outcome()
    host, _, port = address.rpartition(":")
    open_ = [
        (
            await loop.create_connection(
                lambda: Connection(address, method, message, outcome), host, int(port)
            )
        )[1]
        for _ in range(connections)
    ]
    began = time.perf_counter()
    sent, turn = 0, 0
    while (now := time.perf_counter() - began) < seconds:
        wanted = int(now * rate)
        if wanted > sent:
            open_[turn].call([began + one / rate for one in range(sent, wanted)])
            turn = (turn + 1) % connections
            sent = wanted
        await asyncio.sleep(TICK_SECONDS)
    until = loop.time() + patience
    while any(one.due for one in open_) and loop.time() < until:  # noqa: ASYNC110 - rarely, and briefly
        await asyncio.sleep(0.01)
    outcome.unanswered = sum(len(one.due) for one in open_)
    for one in open_:
        one._transport.close()
    return outcome
