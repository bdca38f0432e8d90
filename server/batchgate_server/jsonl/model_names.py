"""The model that a line names, for callers who may use but some: named once, and allowed.

Of two equal keys one JSON reader takes the first and another one the last, so that a line could name
an allowed model to the gateway and another one to the provider.
"""

import json
from collections.abc import Set as AbstractSet

import msgspec

KEY = b'"model"'
# How the key's letters begin where they are written as escapes: \u006d is an m.
ESCAPED_LETTER = b"\\u006"
TELLING = frozenset({"body", "model"})
SHOWN = 64
NOT_ALLOWED = "model_not_allowed"
AMBIGUOUS = "names its model, or its body, more than once"


class _Body(msgspec.Struct):
    model: object = None


class _Line(msgspec.Struct):
    body: _Body


_decode = msgspec.json.Decoder(_Line).decode


def named_once(block: bytes, lines: int) -> bool:
    """Whether a block of lines that all name a model names certainly no second one."""
    return block.count(KEY) == lines and ESCAPED_LETTER not in block


def is_ambiguous(line: bytes) -> bool:
    """Whether any object of a line has two bodies or two models."""
    if named_once(line, 1):
        return False
    try:
        json.loads(line, object_pairs_hook=_members)
    except _AmbiguousError:
        return True
    except (ValueError, RecursionError):
        # No JSON, which is told elsewhere; and what is not understood is not let through.
        return True
    return False


def model_fault(line: bytes, permitted: AbstractSet[str]) -> str | None:
    """What is wrong with a whole line's model, or None."""
    try:
        model = _decode(line).body.model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "cannot be read"
    return AMBIGUOUS if is_ambiguous(line) else name_fault(model, permitted)


def name_fault(model: object, permitted: AbstractSet[str]) -> str | None:
    """What is wrong with a model, or None."""
    if not isinstance(model, str) or not model:
        return "names no model"
    if model in permitted:
        return None
    return f"names the model {model[:SHOWN]!r}, which this caller may not use"


class _AmbiguousError(Exception):
    pass


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        if any(names.count(name) > 1 for name in TELLING):
            raise _AmbiguousError
    return members
