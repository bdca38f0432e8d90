"""Creations that are safe to repeat: a `request_id` is kept in the batch's own metadata.

No store of ours is needed, and any replica finds what another has created. Calls that run at the
same time in one process share one creation, and the workers of one address take turns; two replicas
that are called in the same moment do not know of each other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

import structlog

from batchgate_server.batches.asked import Asked, digest_of
from batchgate_server.batches.turns import Turn, Turns
from batchgate_server.call import current_call
from batchgate_server.errors import (
    GatewayError,
    IdempotencyKeyReused,
    OutcomeUnknown,
    ProviderError,
)
from batchgate_server.operations import Cursor, NewBatch
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile

# As the contract says: so many seconds back, and so many batches. Both providers list at most 100
# at once.
LOOKS_BACK = 72 * 3600.0
AMONG_NEWEST = 1000
PAGE = 100
# Seconds before each look for a batch whose creation was not answered: lists may be behind.
LOOK_AGAIN = (0.0, 0.5, 1.5)
REPEAT = (
    "repeat the call with the same request_id: it finds the batch if the provider has it by then"
)
log = structlog.stdlib.get_logger()

# The provider, whose account there it is, and the key.
Place: TypeAlias = tuple[str, str, str]
Created: TypeAlias = tuple[RestBatch, RestFile | None]


@dataclass(frozen=True, slots=True)
class Existing:
    """A batch under a key."""

    batch: RestBatch
    digest: str
    """Of what was asked for when it was made; "" where that is not known."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A creation on its way."""

    asked: Asked
    turn: Turn
    landed: asyncio.Future[Existing | None]


class RequestIds:
    """The creations under a request_id that are on their way in this process."""

    def __init__(self, turns: Turns | None = None) -> None:
        """`turns` are those of all processes that share an address."""
        self._turns = turns or Turns()
        self._flights: dict[Place, Flight] = {}

    async def once(
        self, provider: OpenAIProvider, asked: Asked, create: Callable[[], Awaitable[Created]]
    ) -> Created:
        """What `create` makes, or the batch that the same call has made already.

        Without a request_id this just creates. A batch that this call did not make comes without
        its file.

        Raises:
            IdempotencyKeyReused: the request_id stands for a batch that was asked for otherwise.
        """
        if not asked.key:
            return await create()
        place = (provider.name, current_call().account, asked.key)
        while flight := self._flights.get(place):
            if existing := await _outcome(flight, asked):
                return await _same(provider, asked, existing), None
        outcome = await self._lead(provider, place, asked, create)
        if isinstance(outcome, Existing):
            return await _same(provider, asked, outcome), None
        return outcome

    async def _lead(
        self,
        provider: OpenAIProvider,
        place: Place,
        asked: Asked,
        create: Callable[[], Awaitable[Created]],
    ) -> Existing | Created:
        """What is there or is created, for all who ask for it meanwhile."""
        landed = asyncio.get_running_loop().create_future()
        turn = self._turns.of(provider.name, asked.key)
        self._flights[place] = Flight(asked, turn, landed)
        try:
            await turn.begin()
            if existing := await find(provider, asked.key, among=AMONG_NEWEST):
                self._land(place, existing)
                return existing
            created = await create()
        except BaseException as exc:
            if running := provider.background.named(creation_name(asked.key)):
                # The caller has gone, the creation has not: nobody may begin another one.
                provider.background.start(self._land_behind(place, running))
            else:
                self._land(place, exc)
            raise
        self._land(place, Existing(created[0], asked.digest))
        return created

    async def _land_behind(self, place: Place, running: list[asyncio.Task[RestBatch]]) -> None:
        outcome: RestBatch | BaseException | None = None
        try:
            outcomes = await asyncio.gather(*running, return_exceptions=True)
            outcome = next((one for one in outcomes if isinstance(one, RestBatch)), outcomes[0])
        finally:
            if isinstance(outcome, RestBatch):
                self._land(place, Existing(outcome, self._flights[place].asked.digest))
                log.info("batch created after its caller had gone", batch_id=outcome.id)
            else:
                self._land(place, outcome)

    def _land(self, place: Place, outcome: Existing | BaseException | None) -> None:
        """Tell those who wait. What the provider did counts for all, else the next one tries."""
        flight = self._flights.pop(place)
        flight.turn.end()
        if isinstance(outcome, OutcomeUnknown):
            outcome.amend(REPEAT)
        if isinstance(outcome, ProviderError):
            flight.landed.set_exception(outcome)
            flight.landed.exception()  # Mostly nobody waits, and asyncio would complain of that.
        else:
            flight.landed.set_result(outcome if isinstance(outcome, Existing) else None)


async def _outcome(flight: Flight, asked: Asked) -> Existing | None:
    """What came of a creation; None where one has to try for oneself."""
    call = current_call()
    call.creating = "batch"
    try:
        existing = await asyncio.shield(flight.landed)
    except ProviderError:
        if flight.asked.opening == asked.opening:
            raise
        # It says nothing of what is asked for here.
        existing = None
    call.creating = ""
    return existing


async def _same(provider: OpenAIProvider, asked: Asked, existing: Existing) -> RestBatch:
    """The batch, if it is what is asked for."""
    batch = existing.batch
    if not existing.digest:
        other = asked.differs(batch)
    else:
        if asked.rest:
            await asked.rest.read_out()
        other = existing.digest != asked.digest
    if other:
        raise IdempotencyKeyReused(
            f'request_id "{asked.request_id}" was used for another request, which created '
            f"{batch.id}; take a new one for each request",
            metadata={"provider": provider.name, "batch_id": batch.id},
        )
    return batch


async def find(provider: OpenAIProvider, key: str, *, among: int) -> Existing | None:
    """The batch under this key among so many of the newest, of the last `LOOKS_BACK` seconds."""
    cursor: Cursor | None = None
    age = _Age(until=time.time() - LOOKS_BACK)
    for _ in range(0, among, PAGE):
        page = await provider.list_batches(cursor=cursor, size=PAGE)
        for batch in page.items:
            digest = digest_of(batch, key)
            if digest is not None:
                return Existing(batch, digest)
        cursor = page.next
        if cursor is None or age.is_reached(page.items):
            break
    return None


class _Age:
    """How far back a list has come; only of one that visibly has the newest first one can tell."""

    def __init__(self, *, until: float) -> None:
        self._until = until
        self._first: float | None = None
        self._last = inf
        self._falls = True

    def is_reached(self, batches: Iterable[RestBatch]) -> bool:
        """Whether all that follow these are older than `until`."""
        for batch in batches:
            at = inf if batch.created_at is None else batch.created_at
            self._falls &= at <= self._last and at < inf
            self._first = at if self._first is None else self._first
            self._last = at
        falls = self._falls and self._first is not None and self._last < self._first
        return falls and self._last < self._until


def creation_name(key: str) -> str:
    """What the task of a creation is called while it runs: by that it is found, whoever began it."""
    return f"{current_call().account} {key}" if key else ""


async def settled(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    """Create a batch; with a request_id the outcome is found out even if its answer was lost.

    Begun, it goes on without its caller, so that the audit log can name what comes of it.
    """
    creation = _settled(provider, new) if new.key else provider.create_batch(new)
    return await provider.background.finish(creation, name=creation_name(new.key))


async def _settled(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    try:
        return await provider.create_batch(new)
    except OutcomeUnknown as exc:
        for pause in LOOK_AGAIN:
            await asyncio.sleep(pause)
            if batch := await _seen(provider, new):
                return batch
        raise exc from exc.__cause__


async def _seen(provider: OpenAIProvider, new: NewBatch) -> RestBatch | None:
    try:
        # It was created just now: it is on the first page, if at all.
        existing = await find(provider, new.key, among=PAGE)
    except GatewayError:
        return None
    # One that was asked for otherwise is another replica's.
    return existing.batch if existing and existing.digest in {"", new.digest} else None
