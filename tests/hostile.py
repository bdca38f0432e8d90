"""Content that takes long to look at: each kind fills as many bytes as are wanted."""

from collections.abc import Mapping

HEAD = b'{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"%b","x":'
MODEL = b"gpt-4o-mini"

# What a value begins with, what is repeated, and what it ends with.
VALUES: Mapping[str, tuple[bytes, bytes, bytes]] = {
    "text": (b'"', b"a", b'"'),
    "numbers": (b"[1", b",1", b"]"),
    "empty lists": (b"[[]", b",[]", b"]"),
    "nested lists": (b"[1", b",[[[[]]]]", b"]"),
    "objects": (b"[1", b',{"a":{}}', b"]"),
    "equal keys": (b'{"":1', b',"":1', b"}"),
    "white space": (b"[1", b" ", b"]"),
    "backslashes": (b'"', rb"\\", b'"'),
    "escapes": (b'"', rb"\u0041", b'"'),
    "letters of a name, escaped": (b'"', rb"\u006d", b'"'),
    "pairs": (b'"', rb"\ud83c\udf0d", b'"'),
    "long UTF-8": (b'"', "a\u00e9\u20ac\U0001f30d".encode(), b'"'),
    "halves": (b'"', rb"\ud83c", b'"'),
    "half a pair, then pairs": (b'"\\ud83c ', rb"\ud83c\udf0d", b'"'),
    "half a pair, then backslashes": (b'"\\ud83c', rb"\\", b'"'),
    "half a pair, then nested lists": (b'["\\ud83c"', b",[[[[]]]]", b"]"),
    "half a pair, then models": (b'["\\ud83c"', b',"' + MODEL + b'"', b"]"),
    "models": (b'[{"model":1}', b',{"model":1}', b"]"),
    "faulty at its end": (b"[1", b",[[[[]]]]", b"1]"),
}


def value(kind: str, size: int) -> bytes:
    """JSON of about so many bytes."""
    begin, unit, end = VALUES[kind]
    return begin + unit * ((size - len(begin) - len(end)) // len(unit)) + end


def line(kind: str, size: int, *, model: bytes = MODEL, more: bytes = b"") -> bytes:
    """A line of about so many bytes, with its newline."""
    head = HEAD % model
    return head + value(kind, size - len(head) - len(more) - 3) + more + b"}}\n"
