r"""Halves of surrogate pairs: `"\ud83c"` is grammatical JSON, which msgspec refuses.

Providers take it, so a line that has such is read without them, byte for byte as long.
"""

import json
import re

import msgspec

from batchgate_server.jsonl.envelopes import ABSENT, Envelope, decode_envelope, decode_raw
from batchgate_server.jsonl.rewriting import place

# All that comes before a half: each escape is passed as a whole, and a pair as one. Possessive, as
# in `rewriting`.
_HALF = re.compile(
    rb"(?:[^\\]++|\\[^u]|\\u(?![dD][89a-fA-F])"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
    rb"\\u([dD][89a-fA-F][0-9a-fA-F]{2})",
    re.DOTALL,
)
REPLACEMENT = b"fffd"


def without_halves(line: bytes) -> bytes:
    """`line` with a replacement character for each half, as long as before."""
    found = _HALF.match(line)
    if found is None:
        return line
    whole = bytearray(line)
    while found is not None:
        whole[found.start(1) : found.end(1)] = REPLACEMENT
        found = _HALF.match(line, found.end())
    return bytes(whole)


def decode_halves(line: bytes, whole: bytes) -> Envelope:
    """The envelope of `line`, which is `whole` without halves: its names have them still."""
    envelope = decode_envelope(whole)
    raw = decode_raw(whole)

    def exact(path: tuple[str, ...], value: msgspec.Raw) -> str:
        text = bytes(value)
        start = place(whole, path, text)
        return str(json.loads(line[start : start + len(text)]))

    envelope.custom_id = exact(("custom_id",), raw.custom_id)
    envelope.url = exact(("url",), raw.url)
    envelope.method = exact(("method",), raw.method)
    if envelope.body.model is not ABSENT:
        envelope.body.model = exact(("body", "model"), raw.body.model)
    return envelope


def carried(text: str) -> str:
    """`text` as protobuf can carry it, with `?` for a half."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
