"""Lists as providers answer them: cut into items, of which only those are read that are wanted.

A provider may answer many more items than were asked for, and any of them may be strange.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from pydantic_core import from_json

from batchgate_server.rest.models import moment, text
from batchgate_server.rest.secrets import without

MAX_OBJECT_BYTES = 1024 * 1024
"""Of the answer to a call for one thing, and of one thing in a list. Far above any real one."""
_MAX_LIST_BYTES = 16 * 1024 * 1024
_LIST_BYTES = 4 * 1024 * 1024
_ITEM_BYTES = 64 * 1024
# Each item takes 72 bytes until the page is made, however small it is. Real lists of 16 MiB have
# about 600,000 commas in all, which are counted in no time.
MAX_COMMAS = 1_000_000


class TooMuch(ValueError):
    """More than is read; the text says of what, after "answered with"."""


def read_json(body: bytes) -> object:
    """The document; Python's slower reader takes halves of surrogate pairs, as in a cut-off name.

    Reading cannot be cut into steps: a mebibyte takes 0.02 s as providers write it, and at worst (of
    empty lists, with half a pair at the end) 0.2 s.
    """
    document: object
    try:
        document = from_json(body)
    except ValueError:
        document = json.loads(body)
    return document


@dataclass(frozen=True, slots=True)
class Bound:
    """How much an answer may be."""

    max_bytes: int
    what: str
    """What was asked for, in words."""


ONE = Bound(MAX_OBJECT_BYTES, "one object")
WHOLE_LIST = Bound(_MAX_LIST_BYTES, "a list that has no pages")


def list_of(size: int) -> Bound:
    """How much a list may be of which `size` items were asked for; some servers give more of them."""
    return Bound(min(_LIST_BYTES + size * _ITEM_BYTES, _MAX_LIST_BYTES), f"a list of {size}")


class _Top(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    has_more: msgspec.Raw = msgspec.Raw()


class _Head(msgspec.Struct):
    id: msgspec.Raw = msgspec.Raw(b"null")
    created_at: msgspec.Raw = msgspec.Raw(b"null")


_top = msgspec.json.Decoder(_Top)
_head = msgspec.json.Decoder(_Head)
_items = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Listing:
    """The items of a list, unread."""

    items: Sequence[object] | None
    """Each a `msgspec.Raw`, or a value; None where the answer is no list."""
    has_more: bool | None = None
    secrets: Sequence[str] = ()

    def head(self, item: object) -> tuple[str, float | None]:
        """An item's id and its time of creation; without an id, which may be "", it is of no use.

        Raises:
            ValueError, RecursionError: it is not JSON.
        """
        if isinstance(item, msgspec.Raw):
            try:
                head = _head.decode(item)
            except msgspec.ValidationError:
                return "", None  # no object
            item = {
                "id": read_json(bytes(head.id)),
                "created_at": read_json(bytes(head.created_at)),
            }
        if not isinstance(item, Mapping):
            return "", None
        found = without(self.secrets, text(item.get("id")), b"\\")
        return str(found), moment(item.get("created_at"))

    def read(self, item: object) -> object:
        """An item, without secrets in its texts.

        Raises:
            ValueError, RecursionError: it is not JSON, or too long.
        """
        if not isinstance(item, msgspec.Raw):
            return without(self.secrets, item, b"\\")
        body = bytes(item)
        if len(body) > MAX_OBJECT_BYTES:
            raise TooMuch(f"a list with an object of more than {MAX_OBJECT_BYTES} bytes")
        return without(self.secrets, read_json(body), body)


def read_object(body: bytes, secrets: Sequence[str]) -> object:
    """The document in an answer, without secrets in its texts; None where there is none.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    return without(secrets, read_json(body), body) if body.strip() else None


def read_list(body: bytes, secrets: Sequence[str]) -> Listing:
    """The items in an answer, unread. At most 0.2 s, at 16 MiB, which cannot be cut into steps.

    Raises:
        ValueError, RecursionError: it is not JSON, or more than is read.
    """
    body = body.strip()
    if not body:
        return Listing(None)
    if body.count(b",") > MAX_COMMAS:
        raise TooMuch(f"a list of more than {MAX_COMMAS} values")
    try:
        top = _Top(data=msgspec.Raw(body)) if body[:1] == b"[" else _top.decode(body)
        data = bytes(top.data)
        items = None if data[:1] != b"[" else _items.decode(data)
    except msgspec.ValidationError:
        return Listing(None)
    except msgspec.DecodeError as exc:
        # What only the lenient reader takes is read as a whole, so it must not be long.
        if len(body) > MAX_OBJECT_BYTES:
            raise TooMuch(
                f"something that is not JSON, or not strictly and longer than {MAX_OBJECT_BYTES} bytes"
            ) from exc
        return _read_whole(body, secrets)
    has_more = {b"true": True, b"false": False}.get(bytes(top.has_more))
    return Listing([] if data == b"null" else items, has_more, secrets)


def _read_whole(body: bytes, secrets: Sequence[str]) -> Listing:
    answer = read_json(body)
    data, has_more = answer, None
    if isinstance(answer, Mapping):
        data, has_more = answer.get("data"), answer.get("has_more")
        data = [] if data is None else data
    return Listing(
        data if isinstance(data, list) else None,
        has_more if isinstance(has_more, bool) else None,
        secrets,
    )
