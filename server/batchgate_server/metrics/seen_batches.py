"""Batches that came by: how they were when last seen, and what they used."""

from collections import Counter
from dataclasses import dataclass

from batchgate_server.metrics.bounded import OTHER, Bounded
from batchgate_server.observer import Batch, Usage

# About 8 MB at most.
MOST_BATCHES = 20_000
MOST_CALLERS, MOST_MODELS = 100, 100
LONGEST_MODEL = 100
ENDED = frozenset({"failed", "completed", "expired", "cancelled"})
STATUSES = ENDED | {"validating", "in_progress", "finalizing", "cancelling"}


@dataclass(slots=True)
class _Seen:
    caller: str
    status: str = ""
    is_counted: bool = False


class SeenBatches:
    """Remembers the batches that were seen last."""

    def __init__(self, *, most: int = MOST_BATCHES) -> None:
        self._most = most
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._models, self._callers = Bounded(MOST_MODELS), Bounded(MOST_CALLERS)
        self.tokens: Counter[tuple[str, ...]] = Counter()
        """By provider, model, caller and kind."""

    def watched(self, provider: str, batch_id: str, *, caller: str) -> None:
        """Somebody watches a batch."""
        self._of(provider, batch_id, caller)

    def saw(self, provider: str, batch: Batch, *, caller: str) -> None:
        """A provider told of a batch."""
        seen = self._of(provider, batch.id, caller)
        seen.status = batch.status
        if batch.usage is not None and not seen.is_counted and batch.status.lower() in ENDED:
            seen.is_counted = True
            self._count(provider, batch, batch.usage, seen.caller)

    def by_status(self) -> Counter[tuple[str, ...]]:
        """How many there are by provider and status."""
        found: Counter[tuple[str, ...]] = Counter()
        for (provider, _), seen in self._seen.items():
            if status := seen.status.lower():
                found[provider, status if status in STATUSES else OTHER] += 1
        return found

    def _of(self, provider: str, batch_id: str, caller: str) -> _Seen:
        key = (provider, batch_id)
        # Taken out and put in again: those that were not seen for longest come first.
        seen = self._seen.pop(key, None) or _Seen(caller)
        seen.caller = seen.caller or caller
        self._seen[key] = seen
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return seen

    def _count(self, provider: str, batch: Batch, usage: Usage, caller: str) -> None:
        model = self._models(batch.model if len(batch.model) <= LONGEST_MODEL else OTHER)
        kinds = (("input", usage.input_tokens), ("output", usage.output_tokens))
        for kind, tokens in kinds:
            if tokens and tokens > 0:
                self.tokens[provider, model, self._callers(caller), kind] += tokens
