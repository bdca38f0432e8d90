"""Creations that are safe to repeat: a `request_id` is kept in the batch's own metadata.

No store of ours is needed, and any replica finds what another has created. Calls that run at the
same time in one process share one creation; two replicas that are called in the same moment do not
know of each other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import structlog

from batchgate_server.call import current_call
from batchgate_server.errors import GatewayError, InvalidField, OutcomeUnknown, ProviderError
from batchgate_server.operations import REQUEST_ID_KEY, Cursor, NewBatch
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile

# As the contract says; both providers list at most 100 at once.
AMONG_NEWEST = 1000
PAGE = 100
# Seconds before each look for a batch whose creation was not answered: lists may be behind.
LOOK_AGAIN = (0.0, 0.5, 1.5)
REPEAT = "repeating the call with the same request_id is safe, and finds the batch if it exists"
log = structlog.stdlib.get_logger()

# The provider, whose account there it is, and the request_id.
Flight: TypeAlias = tuple[str, str, str]
Created: TypeAlias = tuple[RestBatch, RestFile | None]


class RequestIds:
    """The creations under a request_id that are on their way in this process."""

    def __init__(self) -> None:
        self._flights: dict[Flight, asyncio.Future[RestBatch | None]] = {}

    async def once(
        self,
        provider: OpenAIProvider,
        request_id: str,
        create: Callable[[], Awaitable[Created]],
        *,
        check: Callable[[RestBatch], None],
    ) -> Created:
        """What `create` makes, or the batch that this request_id has made already.

        An empty request_id just creates. `check` raises if a batch that exists is not what is
        asked for. A batch that this call did not make comes without its file.
        """
        if not request_id:
            return await create()
        account = current_call().account
        key = (provider.name, account, request_id)
        while flight := self._flights.get(key):
            call = current_call()
            call.creating = "batch"
            batch = await asyncio.shield(flight)
            call.creating = ""
            if batch:
                check(batch)
                return batch, None
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            batch, file = await self._created(provider, request_id, create, check=check)
        except BaseException as exc:
            if running := provider.background.named(creation_name(request_id)):
                # The caller has gone, the creation has not: nobody may begin another one.
                provider.background.start(self._land_behind(key, flight, running))
            else:
                self._land(key, flight, exc)
            raise
        self._land(key, flight, batch)
        return batch, file

    async def _created(
        self,
        provider: OpenAIProvider,
        request_id: str,
        create: Callable[[], Awaitable[Created]],
        *,
        check: Callable[[RestBatch], None],
    ) -> Created:
        if batch := await find(provider, request_id, among=AMONG_NEWEST):
            check(batch)
            return batch, None
        return await create()

    async def _land_behind(
        self,
        key: Flight,
        flight: asyncio.Future[RestBatch | None],
        running: list[asyncio.Task[RestBatch]],
    ) -> None:
        outcome: RestBatch | BaseException | None = None
        try:
            outcomes = await asyncio.gather(*running, return_exceptions=True)
            outcome = next((one for one in outcomes if isinstance(one, RestBatch)), outcomes[0])
        finally:
            self._land(key, flight, outcome)
        if isinstance(outcome, RestBatch):
            log.info("batch created after its caller had gone", batch_id=outcome.id)

    def _land(
        self,
        key: Flight,
        flight: asyncio.Future[RestBatch | None],
        outcome: RestBatch | BaseException | None,
    ) -> None:
        """Tell those who wait. What the provider did counts for all, else the next one tries."""
        del self._flights[key]
        if isinstance(outcome, OutcomeUnknown):
            outcome.amend(REPEAT)
        if isinstance(outcome, ProviderError):
            flight.set_exception(outcome)
            flight.exception()  # Mostly nobody waits, and asyncio would complain of that.
        else:
            flight.set_result(outcome if isinstance(outcome, RestBatch) else None)


async def find(provider: OpenAIProvider, request_id: str, *, among: int) -> RestBatch | None:
    """The batch with this request_id among so many of the newest ones."""
    cursor: Cursor | None = None
    for _ in range(0, among, PAGE):
        page = await provider.list_batches(cursor=cursor, size=PAGE)
        for batch in page.items:
            if batch.metadata.get(REQUEST_ID_KEY) == request_id:
                return batch
        cursor = page.next
        if cursor is None:
            break
    return None


def creation_name(request_id: str) -> str:
    """What the task of a creation is called while it runs: by that it is found, whoever began it."""
    return f"{current_call().account} {request_id}" if request_id else ""


async def settled(provider: OpenAIProvider, new: NewBatch) -> RestBatch:
    """Create a batch; with a request_id the outcome is found out even if its answer was lost."""
    request_id = new.metadata.get(REQUEST_ID_KEY, "")
    if not request_id:
        return await provider.create_batch(new)
    return await provider.background.finish(
        _settled(provider, new, request_id), name=creation_name(request_id)
    )


async def _settled(provider: OpenAIProvider, new: NewBatch, request_id: str) -> RestBatch:
    try:
        return await provider.create_batch(new)
    except OutcomeUnknown as exc:
        for pause in LOOK_AGAIN:
            await asyncio.sleep(pause)
            if batch := await _seen(provider, request_id):
                return batch
        raise exc from exc.__cause__


async def _seen(provider: OpenAIProvider, request_id: str) -> RestBatch | None:
    try:
        # It was created just now: it is on the first page, if at all.
        return await find(provider, request_id, among=PAGE)
    except GatewayError:
        return None


def same_batch(
    *, endpoint: str, input_file_id: str = "", field: str = "request_id"
) -> Callable[[RestBatch], None]:
    """A check that a batch which exists is the one that is asked for, as far as one can see.

    `field` is the path of the request_id.

    What a provider leaves out is not compared, and Azure OpenAI may drop the endpoint's `/v1`.
    """

    def check(batch: RestBatch) -> None:
        wanted: dict[str, tuple[Any, Any]] = {
            "endpoint": (endpoint.removeprefix("/v1"), batch.endpoint.removeprefix("/v1")),
            "input_file_id": (input_file_id, batch.input_file_id),
        }
        for name, (asked, there) in wanted.items():
            if asked and there and asked != there:
                raise InvalidField(
                    field,
                    f"was used already for the batch {batch.id} with another {name}; "
                    "take a new one for each batch",
                )

    return check
