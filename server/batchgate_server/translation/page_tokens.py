"""Page tokens: opaque to callers, stateless for the gateway, and bound to what they page through."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from batchgate_server.errors import InvalidField
from batchgate_server.operations import Cursor

VERSION = 1
LONGEST_CURSOR = 2048
# Above any token whose cursor is written in escapes; longer ones are not decoded at all.
LONGEST_TOKEN = 64 * 1024


def page_token(cursor: Cursor | None, *scope: str) -> str:
    """The token of the page behind `cursor`; empty without one.

    `scope` names the list: RPC, provider and filters.
    """
    if cursor is None:
        return ""
    content = json.dumps([VERSION, _mark(scope), cursor.after, cursor.created_at])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_page_token(token: str, *scope: str) -> Cursor | None:
    """The cursor in `token`; None for an empty one.

    Raises:
        InvalidField: it is no token, or one of another list.
    """
    if not token:
        return None
    if len(token) > LONGEST_TOKEN:
        raise _no_token()
    try:
        version, mark, after, created_at = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
        valid = (
            version == VERSION
            and isinstance(after, str)
            # Goes into the query, quoted: servers page by more than what is an id to us.
            and 0 < len(after) <= LONGEST_CURSOR
            and after.isprintable()
            and isinstance(created_at, int | float)
        )
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise _no_token() from exc
    if not valid:
        raise _no_token()
    if mark != _mark(scope):
        raise InvalidField(
            "page_token",
            "belongs to a list of another provider or with other filters; leave it empty to begin",
        )
    return Cursor(after=after, created_at=created_at)


def _no_token() -> InvalidField:
    return InvalidField("page_token", "is not a page token; leave it empty to begin")


def _mark(scope: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(scope).encode()).hexdigest()[:16]


def page_size(value: int, *, default: int, largest: int) -> int:
    """The number of things on a page: 0 means the default, and what is too large is reduced."""
    if value < 0:
        raise InvalidField("page_size", "must not be negative")
    return min(value or default, largest)
