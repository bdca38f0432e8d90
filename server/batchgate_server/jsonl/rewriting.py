"""Replacing one string in a line, while every other byte stays as it is."""

import re
from dataclasses import dataclass

from batchgate_server.jsonl.envelopes import decode_any

# Possessive, since a place to come back to for each byte of a long string would take gigabytes.
TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
OPEN, CLOSE = {b"{", b"["}, {b"}", b"]"}


def replace(line: bytes, path: tuple[str, ...], old: bytes, new: bytes) -> bytes:
    """`line` with the value at `path` replaced by `new`.

    `old` is the value's own JSON text.
    """
    start = place(line, path, old)
    return b"".join((line[:start], new, line[start + len(old) :]))


def place(line: bytes, path: tuple[str, ...], value: bytes) -> int:
    """Where the value at `path`, whose JSON text is `value`, begins.

    Mostly it stands in the line just once; a search settles where it stands otherwise.
    """
    start = line.find(value)
    return _place(line, path) if line.find(value, start + 1) >= 0 else start


@dataclass(slots=True)
class _Frame:
    """An object or list that is open."""

    is_object: bool
    expects_key: bool
    key: str | None = None


def _place(line: bytes, path: tuple[str, ...]) -> int:
    """Where the value at `path` begins in a valid JSON object; of equal keys the last one counts."""
    found = -1
    frames: list[_Frame] = []
    for match in TOKEN.finditer(line):
        token = match[0]
        top = frames[-1] if frames else None
        if token == b":":
            continue
        if token in CLOSE:
            frames.pop()
        elif token == b",":
            if top:
                top.expects_key = top.is_object
        elif top and top.expects_key:
            top.key, top.expects_key = decode_any(token), False
        else:
            if len(frames) == len(path) and tuple(frame.key for frame in frames) == path:
                found = match.start()
            if token in OPEN:
                frames.append(_Frame(is_object=token == b"{", expects_key=token == b"{"))
    return found
