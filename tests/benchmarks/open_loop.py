"""Calls at a rate that does not wait for answers, as many callers together make them.

A caller of a few lines of HTTP/2: grpc's own could not call twice as often as a gateway answers.
"""

import asyncio
import itertools
import statistics
import struct
import time
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
PATIENCE_SECONDS = 15.0


@dataclass
class Outcome:
    """What became of calls that were begun for `seconds`."""

    seconds: float
    answers: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """By gRPC status (-1: none), when each was due and when it was answered, in seconds."""
    unanswered: int = 0

    def rate(self, status: int) -> float:
        """How many a second ended with this status, while others were begun."""
        answers = self.answers.get(status, ())
        return sum(answered <= self.seconds for _, answered in answers) / self.seconds

    def percentile(self, status: int, percent: int, *, after: float = 0) -> float:
        """Milliseconds in which so many percent were answered, of those due after so many seconds."""
        delays = [answered - due for due, answered in self.answers[status] if due >= after]
        return 1000 * statistics.quantiles(delays, n=100)[percent - 1]

    def summary(self) -> str:
        """How many calls ended how."""
        counts = {status: len(answers) for status, answers in self.answers.items()}
        return f"{counts} by status, {self.unanswered} not at all"


class Connection(asyncio.Protocol):
    """Many calls of one method on one connection."""

    _transport: asyncio.Transport

    def __init__(self, address: str, method: str, message: bytes, *, outcome: Outcome) -> None:
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        # Two frames, each but for the number of its stream.
        self._headers = _split(frame(HEADERS, END_HEADERS, 0, header_block(headers)))
        self._data = _split(frame(DATA, END_STREAM, 0, grpc_message(message)))
        self._outcome = outcome
        self.began = time.perf_counter()
        self._stream = 1
        self._received = b""
        self.due: dict[int, float] = {}
        """When those under way were to begin, in seconds since `began`, by their stream."""

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
            pieces += [number.join(self._headers), number.join(self._data)]
        self._transport.write(b"".join(pieces))

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

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
        answer = (due, time.perf_counter() - self.began)
        self._outcome.answers.setdefault(status, []).append(answer)


def _split(whole: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind the number of a frame's stream."""
    return whole[:5], whole[9:]


async def offer(
    address: str,
    method: str,
    message: bytes,
    *,
    rate: float,
    seconds: float,
    connections: int = 16,
) -> Outcome:
    """Begin `rate` calls a second for `seconds`, spread over some connections."""
    loop = asyncio.get_running_loop()
    outcome = Outcome(seconds)
    host, _, port = address.rpartition(":")
    callers = []
    for _ in range(connections):
        caller = Connection(address, method, message, outcome=outcome)
        callers.append(caller)
        await loop.create_connection(lambda: callers[-1], host, int(port))
    began, sent = time.perf_counter(), 0
    for caller in callers:
        caller.began = began
    turns = itertools.cycle(callers)
    while (passed := time.perf_counter() - began) < seconds:
        wanted = int(passed * rate)
        if wanted > sent:
            next(turns).call([one / rate for one in range(sent, wanted)])
            sent = wanted
        await asyncio.sleep(TICK_SECONDS)
    until = loop.time() + PATIENCE_SECONDS
    while any(caller.due for caller in callers) and loop.time() < until:  # noqa: ASYNC110 - briefly
        await asyncio.sleep(0.01)
    outcome.unanswered = sum(len(caller.due) for caller in callers)
    for caller in callers:
        caller.close()
    return outcome
