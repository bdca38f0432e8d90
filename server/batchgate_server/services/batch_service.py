"""BatchService: batches of any provider."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from grpc.aio import ServicerContext

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import batch_service_pb2_grpc
from batchgate_server.batches.asked import asked, other_batch
from batchgate_server.batches.input_file import create_batch
from batchgate_server.batches.request_ids import Created, RequestIds
from batchgate_server.batches.results import stream_results
from batchgate_server.batches.retrying import Retry
from batchgate_server.batches.submitting import Rows, read_metadata, submit
from batchgate_server.batches.turns import Turns
from batchgate_server.batches.watching import Watching, is_terminal, wait_until_terminal
from batchgate_server.call import current_call
from batchgate_server.errors import IdempotencyKeyReused
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.stream_end import confirm_end, read_rest
from batchgate_server.translation.batches import (
    batch_message,
    new_batch,
    submitted_batch,
    watch_message,
)
from batchgate_server.translation.files import file_message
from batchgate_server.translation.identifiers import checked_id, checked_word
from batchgate_server.translation.page_tokens import page_size, page_token, read_page_token
from batchgate_server.translation.times import waiting_seconds

DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 20, 100
DEFAULT_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 60.0, 300.0
# How long a wait takes at least, if nothing is known of the batch yet.
FIRST_LOOK_SECONDS = 10.0
# An answer begins so long before the caller's deadline, to arrive within it.
ANSWER_SECONDS = 1.0
Context = ServicerContext[Any, Any]


class BatchService(batch_service_pb2_grpc.BatchServiceServicer):
    """Translates each call into the chosen provider's."""

    def __init__(
        self, providers: ProviderRegistry, watching: Watching, turns: Turns | None = None
    ) -> None:
        """`turns` are those of all processes that share an address."""
        self._providers = providers
        self._watching = watching
        self._request_ids = RequestIds(turns)

    async def CreateBatch(
        self, request: pb.CreateBatchRequest, context: Context
    ) -> pb.CreateBatchResponse:
        """Create a batch, once its input file can be used."""
        provider = self._providers.select(request.provider)
        caller = current_call().caller.name
        new = new_batch(
            request, caller=caller, output_lifetime=provider.profile.output_expires_after
        )
        differs = other_batch(endpoint=new.endpoint, input_file_id=new.input_file_id)
        wanted = asked(request, caller=caller, differs=differs)
        new = replace(new, digest=wanted.digest)

        async def create() -> Created:
            return await create_batch(provider, new), None

        batch, _ = await self._request_ids.once(provider, wanted, create)
        return pb.CreateBatchResponse(batch=batch_message(batch, provider=provider.name))

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.GetBatchResponse:
        """Get a batch."""
        provider = self._providers.select(request.provider)
        batch = await provider.get_batch(checked_id("batch_id", request.batch_id))
        return pb.GetBatchResponse(batch=batch_message(batch, provider=provider.name))

    async def ListBatches(
        self, request: pb.ListBatchesRequest, context: Context
    ) -> pb.ListBatchesResponse:
        """List a page of batches."""
        provider = self._providers.select(request.provider)
        scope = ("batches", provider.name)
        page = await provider.list_batches(
            cursor=read_page_token(request.page_token, *scope),
            size=page_size(request.page_size, default=DEFAULT_PAGE_SIZE, largest=LARGEST_PAGE_SIZE),
        )
        return pb.ListBatchesResponse(
            batches=[batch_message(batch, provider=provider.name) for batch in page.items],
            next_page_token=page_token(page.next, *scope),
        )

    async def CancelBatch(
        self, request: pb.CancelBatchRequest, context: Context
    ) -> pb.CancelBatchResponse:
        """Cancel a batch."""
        provider = self._providers.select(request.provider)
        batch = await provider.cancel_batch(checked_id("batch_id", request.batch_id))
        return pb.CancelBatchResponse(batch=batch_message(batch, provider=provider.name))

    async def WatchBatch(
        self, request: pb.WatchBatchRequest, context: Context
    ) -> AsyncIterator[pb.WatchBatchResponse]:
        """Watch a batch until it is terminal."""
        provider = self._providers.select(request.provider)
        batch_id = checked_id("batch_id", request.batch_id)
        event = pb.WATCH_EVENT_SNAPSHOT
        async with self._watching.watch(provider.name, batch_id) as subscription:
            while True:
                news = await subscription.next(self._watching.heartbeat_seconds)
                known = news or subscription.latest
                current_call().tell(
                    "change" if news else "heartbeat", status=known.batch.status if known else ""
                )
                yield watch_message(
                    known.batch if known else None,
                    provider=provider.name,
                    batch_id=batch_id,
                    event=event if news else pb.WATCH_EVENT_HEARTBEAT,
                    observed_at=known.observed_at if known else None,
                )
                if news:
                    if is_terminal(news.batch):
                        return
                    event = pb.WATCH_EVENT_CHANGE

    async def WaitBatch(
        self, request: pb.WaitBatchRequest, context: Context
    ) -> pb.WaitBatchResponse:
        """Wait until a batch is terminal, for a while."""
        provider = self._providers.select(request.provider)
        batch_id = checked_id("batch_id", request.batch_id)
        timeout = waiting_seconds(
            "timeout",
            request.timeout,
            default=DEFAULT_WAIT_SECONDS,
            longest=LONGEST_WAIT_SECONDS,
        )
        async with self._watching.watch(provider.name, batch_id) as subscription:
            seen = await wait_until_terminal(
                subscription,
                timeout_seconds=_in_time(timeout, context),
                first_seconds=_in_time(FIRST_LOOK_SECONDS, context),
            )
        return pb.WaitBatchResponse(
            batch=batch_message(seen.batch, provider=provider.name), done=is_terminal(seen.batch)
        )

    async def SubmitBatch(
        self, request_iterator: AsyncIterator[pb.SubmitBatchRequest], context: Context
    ) -> pb.SubmitBatchResponse:
        """Create a batch of rows while they arrive; see `batches.submitting`."""
        metadata = await read_metadata(request_iterator)
        provider = self._providers.select(metadata.provider)
        caller = current_call().caller.name
        new = submitted_batch(
            metadata, caller=caller, output_lifetime=provider.profile.output_expires_after
        )
        rows = Rows(
            request_iterator,
            provider=provider,
            endpoint=new.endpoint,
            model=checked_word("metadata.model", metadata.model) if metadata.model else "",
            confirm_end=confirm_end(context),
            keeps_digest=bool(metadata.request_id),
        )
        wanted = asked(
            metadata, caller=caller, differs=other_batch(endpoint=new.endpoint), rest=rows
        )
        try:
            batch, file = await self._request_ids.once(
                provider,
                wanted,
                lambda: submit(provider, metadata, rows=rows, new=new, asked=wanted),
            )
        except IdempotencyKeyReused:
            await _last_words(rows, context)
            raise
        if not file:
            await _last_words(rows, context)
        return pb.SubmitBatchResponse(
            batch=batch_message(batch, provider=provider.name),
            file=file_message(file, provider=provider.name) if file else None,
            report=rows.report() if file else None,
        )

    async def StreamBatchResults(
        self, request: pb.StreamBatchResultsRequest, context: Context
    ) -> AsyncIterator[pb.StreamBatchResultsResponse]:
        """Stream a batch's results; see `batches.results`."""
        provider = self._providers.select(request.provider)
        messages = stream_results(provider, request, watching=self._watching)
        # Closed here and now where the caller goes away, not when the collector comes by.
        async with aclosing(messages):
            async for message in messages:
                yield message

    async def RetryBatch(
        self, request: pb.RetryBatchRequest, context: Context
    ) -> pb.RetryBatchResponse:
        """Create a batch of what had no success; see `batches.retrying`."""
        provider = self._providers.select(request.provider)
        retry = Retry(provider, request)
        batch, file = await self._request_ids.once(provider, retry.asked, retry.create)
        return pb.RetryBatchResponse(
            batch=batch_message(batch, provider=provider.name),
            file=file_message(file, provider=provider.name) if file else None,
            line_count=retry.line_count if file else 0,
        )


async def _last_words(rows: Rows, context: Context) -> None:
    """Where there was a batch already its rows may not have been needed."""
    if not rows.ended:
        await read_rest(context)


def _in_time(seconds: float, context: Context) -> float:
    """At most so many seconds that the answer comes within the caller's deadline."""
    remaining: float | None = context.time_remaining()
    if remaining is None:
        return seconds
    return min(seconds, remaining - min(ANSWER_SECONDS, remaining / 2))
