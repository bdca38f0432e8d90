"""Resume tokens: a place in a batch's results, opaque to callers and stateless for the gateway."""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from batchgate_server.errors import InvalidField

VERSION = 2
FIELD = "resume_token"
MAX_PLACE = 2**63 - 1
# Above any token; longer ones are not decoded at all.
LONGEST_TOKEN = 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a line: which of the files, the byte there, and how many lines came before.

    `rows` are those of all files up to there, whether the filter wants them or not.
    """

    file: int = 0
    offset: int = 0
    line: int = 0
    rows: int = 0


def resume_token(place: Place, *scope: str) -> str:
    """The token of a place; `scope` names the stream: provider, batch and filter."""
    content = [VERSION, _mark(*scope), place.file, place.offset, place.line, place.rows]
    text = json.dumps([*content, _mark(*map(str, content))], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_resume_token(token: str, *scope: str, files: int) -> Place:
    """The place in `token`, in one of so many files; the begin for an empty one.

    Raises:
        InvalidField: it is no token, a changed one, or one of another stream.
    """
    if not token:
        return Place()
    if len(token) > LONGEST_TOKEN:
        raise _no_token()
    try:
        *content, total = json.loads(
            base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        )
        version, mark, file, offset, line, rows = content
        valid = (
            version == VERSION
            and total == _mark(*map(str, content))
            and all(type(n) is int and 0 <= n <= MAX_PLACE for n in (file, offset, line, rows))
            and file < files
        )
    except (ValueError, TypeError, binascii.Error, RecursionError) as exc:
        raise _no_token() from exc
    if not valid:
        raise _no_token()
    if mark != _mark(*scope):
        raise InvalidField(
            FIELD,
            "belongs to the results of another provider, another batch or another filter; leave "
            "it empty to begin",
        )
    return Place(file=file, offset=offset, line=line, rows=rows)


def _no_token() -> InvalidField:
    return InvalidField(FIELD, "is not a resume token; leave it empty to begin")


def _mark(*words: str) -> str:
    return hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16]
