"""The model that a line names, for callers who may use but some: named once, and allowed.

Of two equal keys one JSON reader takes the first and another one the last, and some take "Model" for
"model": so a line could name an allowed model to the gateway and another one to the provider. Some
routers take further ones from "models".
"""

import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType

import msgspec

KEY = b'"model"'
BODY = b'"body"'
OTHERS = b'"models"'
# A letter that is written as an escape: \u006d is an m.
ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")
TELLING = frozenset({"body", "model"})
SHOWN = 64
NO_ALIASES: Mapping[str, str] = MappingProxyType({})
NOT_ALLOWED = "model_not_allowed"
AMBIGUOUS = "names its model, or its body, more than once or in another spelling"


class _Body(msgspec.Struct):
    model: object = None


class _Line(msgspec.Struct):
    body: _Body


_decode = msgspec.json.Decoder(_Line).decode


def named_once(block: bytes, lines: int) -> bool:
    """Whether a block of lines that all name a model names certainly no second one."""
    lower = block.lower()
    return (
        lower.count(KEY) == block.count(KEY) == lines
        and lower.count(BODY) == block.count(BODY) == lines
        and OTHERS not in lower
        and not ESCAPED_LETTER.search(block)
    )


def is_ambiguous(line: bytes) -> bool:
    """Whether any object of a line has two bodies or two models, or the line spells them otherwise."""
    if named_once(line, 1):
        return False
    try:
        envelope = json.loads(line, object_pairs_hook=_members)
        body = envelope["body"] if isinstance(envelope, dict) else None
        return _spells(envelope, "body") or _spells(body, "model", "models")
    except _AmbiguousError:
        return True
    except (ValueError, KeyError, RecursionError):
        # No JSON, which is told elsewhere; and what is not understood is not let through.
        return True


def model_fault(line: bytes, permitted: AbstractSet[str]) -> str | None:
    """What is wrong with a whole line's model, or None."""
    try:
        model = _decode(line).body.model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "cannot be read"
    return AMBIGUOUS if is_ambiguous(line) else name_fault(model, permitted)


def name_fault(
    model: object, permitted: AbstractSet[str], *, aliases: Mapping[str, str] = NO_ALIASES
) -> str | None:
    """What is wrong with a model, or None; `aliases` are what will be sent for some names."""
    if not isinstance(model, str) or not model:
        return "names no model"
    if aliases.get(model, model) in permitted:
        return None
    return f"names the model {model[:SHOWN]!r}, which this caller may not use"


def _spells(members: object, name: str, *others: str) -> bool:
    """Whether an object has a member called so in another spelling, or one of the others at all."""
    keys = members.keys() if isinstance(members, dict) else ()
    return any(key != name and (key.casefold() == name or key.casefold() in others) for key in keys)


class _AmbiguousError(Exception):
    pass


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        if any(names.count(name) > 1 for name in TELLING):
            raise _AmbiguousError
    return members
