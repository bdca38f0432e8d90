"""Pages out of providers' lists, whatever a provider makes of `after`, `limit` and `has_more`."""

from collections.abc import Sequence
from typing import TypeVar

from batchgate_server.operations import Cursor, Page
from batchgate_server.rest.models import RestResource

Item = TypeVar("Item", bound=RestResource)


def page_of(
    items: Sequence[Item], *, has_more: bool | None, cursor: Cursor | None, size: int
) -> Page[Item]:
    """The page of `size` behind `cursor`, from an answer to `after` and `limit=size`.

    Some servers ignore `after`, and then the cursor's own thing is in the answer: the page begins
    behind it, so that paging ends. Some say `has_more` with nothing to show: that is the end, as
    the official clients take it. Some leave `has_more` out: then a full page may have a successor.
    """
    total = len(items)
    place = next((n for n, item in enumerate(items) if cursor and item.id == cursor.after), None)
    if place is not None:
        items, has_more = items[place + 1 :], False
    elif has_more is None:
        has_more = total >= size
    return _cut(items, size=size, has_more=has_more)


def page_of_all(
    items: Sequence[Item], *, cursor: Cursor | None, size: int, ascending: bool
) -> Page[Item]:
    """The page of `size` behind `cursor` from the whole list, in order of creation."""
    ordered = sorted(items, key=_place, reverse=not ascending)
    if cursor:
        here = (cursor.created_at, cursor.after)
        ordered = [i for i in ordered if (_place(i) > here if ascending else _place(i) < here)]
    return _cut(ordered, size=size, has_more=False)


def _place(item: RestResource) -> tuple[float, str]:
    return (item.created_at or 0.0, item.id)


def _cut(items: Sequence[Item], *, size: int, has_more: bool) -> Page[Item]:
    page = items[:size]
    if not page or not (has_more or len(items) > size):
        return Page(items=page, next=None)
    return Page(items=page, next=Cursor(after=page[-1].id, created_at=page[-1].created_at or 0.0))
