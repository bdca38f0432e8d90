"""A batch as the sandbox keeps it, whatever flavour shows it."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

Status = Literal[
    "validating",
    "failed",
    "in_progress",
    "finalizing",
    "completed",
    "expired",
    "cancelling",
    "cancelled",
]
TERMINAL: frozenset[str] = frozenset({"failed", "completed", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of an input file; ``line`` counts from 1."""

    code: str
    message: str
    param: str | None = None
    line: int | None = None


@dataclass(slots=True)
class Usage:
    """Tokens that the answered lines took."""

    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, input_tokens: int, output_tokens: int) -> None:
        """Count one more answer."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens


@dataclass(slots=True)
class StoredBatch:
    """A batch's state. ``times`` holds Unix seconds by status, as ``completed`` → 1711493163."""

    id: str
    endpoint: str
    input_file_id: str
    metadata: dict[str, str] | None
    created_at: float
    expires_at: float
    output_lifetime: int | None
    completion_window: str = "24h"
    status: Status = "validating"
    model: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    total: int = 0
    completed: int = 0
    failed: int = 0
    usage: Usage = field(default_factory=Usage)
    problems: list[Problem] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)
    cancel_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, status: Status, now: float) -> None:
        """Go on to ``status`` and note when."""
        self.status = status
        self.times[status] = int(now)

    def outcome_wanted(self) -> str | None:
        """What the metadata key ``sandbox_outcome`` asks for."""
        return (self.metadata or {}).get("sandbox_outcome")
