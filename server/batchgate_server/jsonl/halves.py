r"""Halves of surrogate pairs: `"\ud83c"` is grammatical JSON, which msgspec refuses.

Providers take it, so a line that has such is read without them, byte for byte as long.
"""

import json
import re
from collections.abc import Iterator

import msgspec

from batchgate_server.jsonl.envelopes import ABSENT, Envelope, decode_envelope, decode_raw
from batchgate_server.jsonl.places import place
from batchgate_server.steps import PIECE_BYTES, Steps

# What follows a backslash is no escape of its own if that is a backslash itself. Those pairs are set
# aside as bytes that no UTF-8 has: then each backslash begins an escape.
PAIR, SET_ASIDE = b"\\\\", b"\xff\xff"
_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F][0-9a-fA-F]"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F][0-9a-fA-F]"
# A first half is never the second one of a pair, so that neighbours tell all.
# Begins with what is literal, which is searched for several times as fast.
_HALF = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F][0-9a-fA-F](?!%b)"
    rb"|(?<!%b\\u[dD])[c-fC-F][0-9a-fA-F][0-9a-fA-F])" % (_LOW, _HIGH)
)
_ENDS_HIGH = re.compile(_HIGH)
_REPLACEMENT = rb"\\ufffd"
_ESCAPE = len(rb"\ud83c")


def without_halves(line: bytes) -> Steps[bytes]:
    """`line`, which is UTF-8, with a replacement character for each half, as long as before."""
    pieces: list[bytes] = []
    changed = False
    for piece in whole_escapes(line):
        without, count = _HALF.subn(_REPLACEMENT, piece)
        pieces.append(without.replace(SET_ASIDE, PAIR))
        changed = changed or count > 0
        yield
    return b"".join(pieces) if changed else line


def whole_escapes(line: bytes) -> Iterator[bytes]:
    """`line` in pieces that end inside of no escape, its escaped backslashes set aside."""
    start, size = 0, len(line)
    while start < size:
        piece = line[start : start + PIECE_BYTES].replace(PAIR, SET_ASIDE)
        if start + len(piece) < size:
            piece = _cut(piece)
        start += len(piece)
        yield piece


def _cut(marked: bytes) -> bytes:
    """A piece, pairs set aside, without the escape or the half of a pair that is cut off at its end."""
    last = marked.rfind(b"\\", -_ESCAPE + 1)
    if last >= 0:
        marked = marked[:last]
    return marked[:-_ESCAPE] if _ENDS_HIGH.match(marked, max(len(marked) - _ESCAPE, 0)) else marked


def decode_halves(line: bytes, whole: bytes) -> Steps[Envelope]:
    """The envelope of `line`, which is `whole` without halves: its names have them still."""
    envelope = decode_envelope(whole)
    yield
    raw = decode_raw(whole)

    def exact(value: msgspec.Raw) -> str:
        start, end = place(whole, value)
        return str(json.loads(line[start:end]))

    yield
    envelope.custom_id = exact(raw.custom_id)
    envelope.url = exact(raw.url)
    envelope.method = exact(raw.method)
    if envelope.body.model is not ABSENT:
        yield
        envelope.body.model = exact(raw.body.model)
    return envelope


def carried(text: str) -> str:
    """`text` as protobuf can carry it, with `?` for a half."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
