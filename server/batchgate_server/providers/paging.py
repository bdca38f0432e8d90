"""Pages out of providers' lists, whatever a provider makes of `after`, `limit` and `has_more`."""

from collections.abc import Sequence
from typing import TypeVar

from batchgate_server.operations import Cursor, Page
from batchgate_server.rest.listing import Listing
from batchgate_server.rest.models import RestResource
from batchgate_server.steps import Steps

Item = TypeVar("Item", bound=RestResource)


# So many more than are wanted are collected, before the first ones are picked out.
SPARE = 1000


def wanted(listing: Listing, *, cursor: Cursor | None, size: int) -> Steps[Sequence[object]]:
    """The items of which `page_of` makes the same page as of all of them; one more tells of a next.

    Only ids are looked at, since a server may give any number of items more than were asked for.
    """
    kept: list[object] = []
    found = False
    for item in listing.items or ():
        # Behind the cursor's own thing, or where there is no cursor, the rest does not matter.
        full = len(kept) > size + found
        if full and (found or not cursor):
            break
        yield
        identity, _ = listing.head(item)
        if cursor and not found and identity == cursor.after:
            kept, found = [item], True
        elif identity and not full:
            kept.append(item)
    return kept


def wanted_of_all(
    listing: Listing, *, cursor: Cursor | None, size: int, ascending: bool
) -> Steps[Sequence[object]]:
    """The same for `page_of_all`."""
    here = (cursor.created_at, cursor.after) if cursor else None
    kept: list[tuple[tuple[float, str], int]] = []
    items = listing.items or ()
    for number, item in enumerate(items):
        yield
        identity, created_at = listing.head(item)
        place = (created_at or 0.0, identity)
        if identity and (here is None or (place > here if ascending else place < here)):
            kept.append((place, number))
        if len(kept) > size + SPARE:
            kept.sort(reverse=not ascending)
            del kept[size + 1 :]
    kept.sort(reverse=not ascending)
    return [items[number] for _, number in kept[: size + 1]]


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
