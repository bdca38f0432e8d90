"""A caller that speaks HTTP by hand, to see what a client library would hide."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

BOUNDARY = "b0123456789abcdef0123456789abcdef"
FILE_HEAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n'
    "Content-Type: application/jsonl\r\n\r\n"
).encode()
FILE_TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10) as opened:
        yield opened


def upload_head(key: str, length: int | None) -> bytes:
    """The head of an upload to the OpenAI flavour; without a length the body is chunked."""
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST /v1/files HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n{size}\r\n\r\n"
    ).encode()


def get_head(key: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def answer(opened: socket.socket) -> tuple[int, bytes]:
    """The status and the body of an answer that declares its length."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = opened.recv(65536)
        assert piece, f"closed after {got!r}"
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields[b"content-length"]):
        piece = opened.recv(65536)
        assert piece, f"cut off after {len(body)} bytes"
        body += piece
    return int(head.split(b" ")[1]), body


def pour(opened: socket.socket, megabytes: int) -> None:
    """Send so much, or as much as the other side takes."""
    for _ in range(megabytes):
        opened.sendall(b"x" * (1 << 20))
