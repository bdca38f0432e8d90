"""A line read: the same for a line on its way to the provider and for one that lies there."""

import msgspec

from batchgate_server.jsonl.diagnosis import diagnose
from batchgate_server.jsonl.envelopes import Envelope, decode_envelope
from batchgate_server.jsonl.halves import decode_halves, without_halves
from batchgate_server.steps import Steps

MARK = b"\xef\xbb\xbf"
BLANK = b" \t\r\n"
_UNREAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read(line: bytes) -> Steps[tuple[Envelope, bytes]]:
    """The envelope of a line, and the line without halves of surrogate pairs.

    Raises:
        Faulty: what is wrong with it.
    """
    try:
        if not line.isascii():
            line.decode()
            yield
        return decode_envelope(line), line
    except _UNREAD:
        yield
    whole = line
    try:
        whole = yield from without_halves(line)
        if whole is not line:
            yield
            return (yield from decode_halves(line, whole)), whole
    except _UNREAD:
        yield
    return (yield from diagnose(whole))
