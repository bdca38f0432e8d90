"""One who calls, and what it may do."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """What a caller is allowed or refused."""

    FILES_READ = "files.read"
    FILES_WRITE = "files.write"
    FILES_DELETE = "files.delete"
    BATCHES_READ = "batches.read"
    BATCHES_CREATE = "batches.create"
    BATCHES_CANCEL = "batches.cancel"


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller of the configuration; None means that nothing is limited."""

    name: str
    """Empty for the anonymous one."""
    allow: AbstractSet[Operation] = frozenset(Operation)
    providers: AbstractSet[str] | None = None
    default_provider: str | None = None
    models: AbstractSet[str] | None = None
    max_upload_bytes: int | None = None

    def may_use(self, provider: str) -> bool:
        """Whether it may use the provider profile of this name."""
        return self.providers is None or provider in self.providers


ANONYMOUS = Caller(name="")
"""Everybody, where no callers are configured."""
