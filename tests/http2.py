"""An HTTP/2 client of a few lines, for what no gRPC library does: ending calls in every wrong way."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
# What a receiver takes without having said so.
LARGEST_FRAME = 16384
CANCEL, NO_ERROR = 8, 0


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def frames(received: bytes) -> list[tuple[int, int]]:
    """Kind and flags of each whole frame that a peer has sent."""
    found, place = [], 0
    while place + 9 <= len(received):
        end = place + 9 + int.from_bytes(received[place : place + 3])
        found.append((received[place + 3], received[place + 4]))
        place = end
    return found


def header_block(headers: Sequence[tuple[str, str]]) -> bytes:
    """HPACK without its tables and without Huffman: literals, never indexed."""
    block = b""
    for name, value in headers:
        assert len(name) < 127
        assert len(value) < 127
        block += b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return block


def grpc_message(message: bytes) -> bytes:
    """A message as gRPC frames it: not compressed, length, bytes."""
    return b"\x00" + struct.pack(">I", len(message)) + message


class RawCall:
    """One gRPC call on a connection of its own; sends at most 64 KiB, which needs no flow control."""

    STREAM = 1

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.sock.close()

    @classmethod
    async def open(cls, address: str, method: str) -> Self:
        """Connect to `host:port` and send the call's headers."""
        host, _, port = address.rpartition(":")
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        call = cls(sock)
        headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        await call.send(
            PREFACE
            + frame(SETTINGS, 0, 0, b"")
            + frame(HEADERS, END_HEADERS, cls.STREAM, header_block(headers))
        )
        return call

    async def send(self, raw: bytes) -> None:
        """Send bytes as they are."""
        await asyncio.get_running_loop().sock_sendall(self.sock, raw)

    async def send_data(self, data: bytes, *, end: bool = False) -> None:
        """Send bytes of the call's body."""
        await self.send(self.data_frames(data, end=end))

    @classmethod
    def data_frames(cls, data: bytes, *, end: bool = False) -> bytes:
        """Frames for bytes of the call's body, the last with END_STREAM if wished."""
        starts = range(0, max(len(data), 1), LARGEST_FRAME)
        return b"".join(
            frame(
                DATA,
                END_STREAM if end and start == starts[-1] else 0,
                cls.STREAM,
                data[start : start + LARGEST_FRAME],
            )
            for start in starts
        )

    async def read_all(self) -> bytes:
        """What the server sends, until it has ended the stream."""
        received = b""
        while not self._ended(received):
            piece = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
            if not piece:
                break
            received += piece
        return received

    @classmethod
    def _ended(cls, received: bytes) -> bool:
        place = 0
        while place + 9 <= len(received):
            length = int.from_bytes(received[place : place + 3])
            kind, flags = received[place + 3], received[place + 4]
            if kind == RST_STREAM or (kind in {DATA, HEADERS} and flags & END_STREAM):
                return place + 9 + length <= len(received)
            place += 9 + length
        return False

    def reset_stream(self, code: int = CANCEL) -> bytes:
        """The frame that cancels the call."""
        return frame(RST_STREAM, 0, self.STREAM, struct.pack(">I", code))

    def go_away(self) -> bytes:
        """The frame that says goodbye to the connection."""
        return frame(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR))

    def hang_up(self) -> None:
        """Close as a killed process's kernel does where all was read: FIN."""
        self.sock.close()

    def break_off(self) -> None:
        """Close by TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
