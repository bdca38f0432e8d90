"""The members of an object that is not as documented, each value as the text that it is."""

import json

import msgspec
from msgspec import Raw, Struct

from batchgate_server.jsonl.halves import without_halves
from batchgate_server.jsonl.places import place
from batchgate_server.steps import at_once


class _Members(Struct):
    """Those that are looked at: of a line, of its response, of the response's body."""

    custom_id: Raw = Raw()
    response: Raw = Raw()
    error: Raw = Raw()
    status_code: Raw = Raw()
    request_id: Raw = Raw()
    body: Raw = Raw()
    object: Raw = Raw()
    status: Raw = Raw()
    model: Raw = Raw()
    usage: Raw = Raw()


_read = msgspec.json.Decoder(_Members).decode
_json = json.JSONDecoder(strict=False)


def members_of(content: str) -> dict[str, str]:
    """The members of a JSON object, those that are looked at and perhaps others.

    What is in them is skipped over and not built, halves of surrogate pairs or not.

    Raises:
        ValueError: it is not a JSON object.
        RecursionError: it is too deep.
    """
    given = content.encode()
    try:
        whole = at_once(without_halves(given))
        found = _read(whole)
    except (msgspec.DecodeError, RecursionError):
        return _read_in_python(content)
    members: dict[str, str] = {}
    for name in _Members.__struct_fields__:
        value: Raw = getattr(found, name)
        if bytes(value):
            begin, end = place(whole, value)
            members[name] = given[begin:end].decode()
    return members


def _read_in_python(content: str) -> dict[str, str]:
    """The same for what msgspec refuses, NaN for one: each value is built, to find its end."""
    place = _skip(content, 0)
    if content[place : place + 1] != "{":
        raise ValueError("not an object")
    members: dict[str, str] = {}
    place = _skip(content, place + 1)
    while content[place : place + 1] != "}":
        if members:
            place = _expect(",", content, place)
        name, place = _json.raw_decode(content, place)
        if not isinstance(name, str):
            raise ValueError("a name that is no string")  # noqa: TRY004 - a fault of the text
        begin = _expect(":", content, _skip(content, place))
        _, place = _json.raw_decode(content, begin)
        members[name] = content[begin:place]
        place = _skip(content, place)
    if _skip(content, place + 1) != len(content):
        raise ValueError("more than an object")
    return members


def _expect(mark: str, content: str, place: int) -> int:
    if content[place : place + 1] != mark:
        raise ValueError(f"no {mark}")
    return _skip(content, place + 1)


def _skip(content: str, place: int) -> int:
    while content[place : place + 1] in {" ", "\t", "\r", "\n"}:
        place += 1
    return place
