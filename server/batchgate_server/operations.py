"""What providers are asked, as frozen values: neither proto nor REST."""

from collections.abc import AsyncIterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

# The gateway's own keys in a batch's metadata: callers neither set nor see them.
OWN_PREFIX = "batchgate_"
REQUEST_ID_KEY = "batchgate_request_id"
RETRY_OF_KEY = "batchgate_retry_of"


def request_key(request_id: str, *, caller: str) -> str:
    """What is kept of a `request_id`: two callers who choose the same one mean two batches."""
    return f"{caller}:{request_id}" if caller and request_id else request_id


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
