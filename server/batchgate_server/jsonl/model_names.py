"""The model that a line names, for callers who may use but some: named once, and allowed.

Of two equal keys one JSON reader takes the first and another one the last, and some take "Model" for
"model": so a line could name an allowed model to the gateway and another one to the provider. Some
routers take further ones from "models".
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

import msgspec

from batchgate_server.jsonl.envelopes import Envelope
from batchgate_server.jsonl.halves import PAIR, SET_ASIDE, whole_escapes
from batchgate_server.jsonl.places import place
from batchgate_server.steps import PIECE_BYTES, Steps

KEY = b'"model"'
BODY = b'"body"'
OTHERS = b'"models"'
# A letter that is written as an escape: \u006d is an m.
ESCAPED_LETTER = re.compile(rb"\\u0(?:0[4-7]|17)")
# What stands for a letter of those names where case does not count, in text that is lower case.
SPELLINGS = {
    **{
        rb"\u%04x" % code: bytes([code | 0x20])
        for name in (b"bodymels",)
        for letter in name
        for code in (letter, letter & ~0x20)
    },
    rb"\u017f": b"s",
}
LONG_S = "\u017f".encode()
SHOWN = 64
NO_ALIASES: Mapping[str, str] = MappingProxyType({})
NOT_ALLOWED = "model_not_allowed"
AMBIGUOUS = "names its model, or its body, more than once or in another spelling"


class _Line(msgspec.Struct):
    body: msgspec.Raw = msgspec.Raw()


class _Body(msgspec.Struct):
    model: msgspec.Raw = msgspec.Raw()
    models: msgspec.Raw = msgspec.Raw()


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_body = msgspec.json.Decoder(_Body).decode


def named_once(block: bytes, lines: int) -> bool:
    """Whether a block of lines that all name a model names certainly no second one."""
    lower = block.lower()
    return (
        lower.count(KEY) == block.count(KEY) == lines
        and lower.count(BODY) == block.count(BODY) == lines
        and OTHERS not in lower
        and LONG_S not in lower
        and not ESCAPED_LETTER.search(block)
    )


def is_ambiguous(line: bytes) -> Steps[bool]:
    """Whether a line has two bodies, or its body two models, or the line spells them otherwise.

    `line` is JSON that msgspec takes. Case does not count, so that every spelling is an equal key;
    of equal keys the last one counts, and if it is taken away there must be no other.
    """
    if len(line) <= PIECE_BYTES and named_once(line, 1):
        return False
    yield
    text = line.lower().replace(LONG_S, b"s")
    yield
    if b"\\u0" in text:
        pieces = []
        for piece in whole_escapes(text):
            plain = piece
            for spelling, letter in SPELLINGS.items():
                plain = plain.replace(spelling, letter)
            pieces.append(plain.replace(SET_ASIDE, PAIR))
            yield
        text = b"".join(pieces)
    try:
        value = _decode_line(text).body
        body = bytes(value)
        yield
        if bytes(_decode_line(_without(text, value)).body):
            return True
        yield
        named = _decode_body(body)
        if bytes(named.models):
            return True
        yield
        return bool(bytes(_decode_body(_without(body, named.model)).model))
    except (msgspec.DecodeError, ValueError, RecursionError):
        # What is not understood is not let through.
        return True


def _without(text: bytes, value: msgspec.Raw) -> bytes:
    """An object without one member, whose value this is: null under a key that nobody looks for."""
    start, end = place(text, value)
    # In lower case, letters not escaped, the key has no quotation mark inside of it.
    quote = text.rindex(b'"', 0, start)
    key = text.rindex(b'"', 0, quote)
    return b"".join((text[:key], b'"":null', text[end:]))


def model_fault(
    envelope: Envelope,
    whole: bytes,
    permitted: AbstractSet[str],
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> Steps[str | None]:
    """As `name_fault` for the model of a line; `whole` is the line without halves."""
    fault = name_fault(envelope.body.model, permitted, aliases=aliases)
    if fault is None and (yield from is_ambiguous(whole)):
        return AMBIGUOUS
    return fault


def name_fault(
    model: object, permitted: AbstractSet[str], *, aliases: Mapping[str, str] = NO_ALIASES
) -> str | None:
    """What is wrong with a model, or None; `aliases` are what will be sent for some names."""
    if not isinstance(model, str) or not model:
        return "names no model"
    if aliases.get(model, model) in permitted:
        return None
    return f"names the model {model[:SHOWN]!r}, which this caller may not use"
