"""What providers are asked, as frozen values: neither proto nor REST."""

import re
from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

# The gateway's own keys in a batch's metadata: callers neither set nor see them.
OWN_PREFIX = "batchgate_"
REQUEST_ID_KEY = "batchgate_request_id"
RETRY_OF_KEY = "batchgate_retry_of"
# Behind the key, in the same pair: a digest of what was asked for, and how it was made. A provider
# may have cut it off.
DIGEST = re.compile(r" #(\d+):([0-9a-f]{0,32})")
DIGEST_VERSION, DIGEST_DIGITS = "1", 32


def request_key(request_id: str, *, caller: str) -> str:
    """What is kept of a `request_id`: two callers who choose the same one mean two batches."""
    return f"{caller}:{request_id}" if caller and request_id else request_id


def kept_key(key: str, digest: str) -> str:
    """The pair's value: the key, and the digest of what was asked for under it."""
    return f"{key} #{DIGEST_VERSION}:{digest}" if digest else key


def digest_under(kept: str, key: str) -> str | None:
    """The digest in a pair's value; "" where none can be read, None where the key is another one."""
    if not kept.startswith(key) or not key:
        return None
    rest = kept[len(key) :]
    found = DIGEST.fullmatch(rest)
    if rest and not found:
        return None
    is_whole = found and found[1] == DIGEST_VERSION and len(found[2]) == DIGEST_DIGITS
    return found[2] if found and is_whole else ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to create."""

    filename: str
    purpose: str
    content_type: str
    content: AsyncIterable[bytes]
    size_bytes: int | None
    """The content's length, if known beforehand."""
    expires_after_seconds: int | None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to create."""

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: dict[str, str] = field(default_factory=dict)
    output_expires_after_seconds: int | None = None
    key: str = ""
    """What stands for the request_id; empty without one."""
    digest: str = ""
    """Of what was asked for under the key."""

    @property
    def pairs(self) -> dict[str, str]:
        """The metadata with what the gateway keeps in it."""
        own = {REQUEST_ID_KEY: kept_key(self.key, self.digest)} if self.key else {}
        return {**self.metadata, **own}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: behind the thing with this id and creation time (unix seconds)."""

    after: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a list, and the place where the next part begins; None at the end."""

    items: Sequence[Item]
    next: Cursor | None
