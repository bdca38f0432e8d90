"""Batches: create or submit, watch, cancel, retry; their results are in `results`."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
)
from contextlib import aclosing
from datetime import timedelta

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client._async.calls import CREATION_SECONDS, AsyncCalls, Stream
from batchgate_client._async.results import AsyncResults
from batchgate_client._async.runtime import each
from batchgate_client.durations import duration
from batchgate_client.rows import Packer, Row

WAIT_SECONDS, WAIT_MARGIN_SECONDS = 60.0, 30.0


class AsyncBatchCalls(AsyncCalls):
    """BatchService."""

    async def create_batch(
        self,
        input_file_id: str,
        *,
        endpoint: str,
        completion_window: str = "",
        metadata: Mapping[str, str] | None = None,
        output_expires_after: timedelta | float | None = None,
        request_id: str = "",
        provider: str | None = None,
        timeout: float | None = None,
    ) -> batch_pb2.Batch:
        """Create a batch of an uploaded file. With a `request_id` it can be repeated, and is.

        The deadline is 15 minutes unless `timeout` says else, as the file may have to be
        processed first.

        Raises:
            OutcomeUnknown: It may have been created; without a `request_id`, look at the list.
        """
        request = pb.CreateBatchRequest(
            provider=self._provider(provider),
            input_file_id=input_file_id,
            endpoint=endpoint,
            completion_window=completion_window,
            metadata=metadata,
            output_expires_after=duration(output_expires_after),
            request_id=request_id,
        )
        response = await self._unary(
            self.batches.CreateBatch,
            request,
            timeout=timeout,
            default=CREATION_SECONDS,
            repeatable=bool(request_id),
        )
        return response.batch

    async def get_batch(
        self, batch_id: str, *, provider: str | None = None, timeout: float | None = None
    ) -> batch_pb2.Batch:
        """A batch as it is now.

        Raises:
            ProviderNotFound: There is none of that id.
        """
        request = pb.GetBatchRequest(provider=self._provider(provider), batch_id=batch_id)
        got = await self._unary(self.batches.GetBatch, request, timeout=timeout, repeatable=True)
        return got.batch

    async def list_batches(
        self,
        *,
        page_size: int = 0,
        provider: str | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[batch_pb2.Batch]:
        """All batches, newest first, page after page as they are asked for."""
        token = ""
        while True:
            request = pb.ListBatchesRequest(
                provider=self._provider(provider), page_size=page_size, page_token=token
            )
            page = await self._unary(
                self.batches.ListBatches, request, timeout=timeout, repeatable=True
            )
            for batch in page.batches:
                yield batch
            token = page.next_page_token
            if not token:
                return

    async def cancel_batch(
        self, batch_id: str, *, provider: str | None = None, timeout: float | None = None
    ) -> batch_pb2.Batch:
        """Ask for a batch's end; what is answered already stays.

        Raises:
            ProviderConflict: It has ended already.
        """
        request = pb.CancelBatchRequest(provider=self._provider(provider), batch_id=batch_id)
        return (await self._unary(self.batches.CancelBatch, request, timeout=timeout)).batch

    async def watch_batch(
        self, batch_id: str, *, provider: str | None = None, timeout: float | None = None
    ) -> AsyncGenerator[pb.WatchBatchResponse, None]:
        """What happens to a batch, from a snapshot at once to its end.

        Where the gateway goes away, the watch goes on with another, for up to `patience` seconds of
        the client; what changed meanwhile comes as a CHANGE. Heartbeats are passed on.
        """
        request = pb.WatchBatchRequest(provider=self._provider(provider), batch_id=batch_id)
        seen: batch_pb2.Batch | None = None

        def following() -> tuple[Stream, object]:
            return self.batches.WatchBatch, request

        async with aclosing(self._received(following, timeout=timeout)) as messages:
            async for news in messages:
                again = news.event == pb.WATCH_EVENT_SNAPSHOT and seen is not None
                if again and news.batch == seen:
                    continue
                if again:
                    news.event = pb.WATCH_EVENT_CHANGE
                seen = news.batch
                yield news

    async def wait_batch(
        self, batch_id: str, *, seconds: float = WAIT_SECONDS, provider: str | None = None
    ) -> pb.WaitBatchResponse:
        """A batch once it has ended, or as it is after so many seconds (at most 300); `done` tells."""
        request = pb.WaitBatchRequest(
            provider=self._provider(provider), batch_id=batch_id, timeout=duration(seconds)
        )
        return await self._unary(
            self.batches.WaitBatch,
            request,
            timeout=seconds + WAIT_MARGIN_SECONDS,
            repeatable=True,
        )

    async def submit_batch(
        self,
        rows: Iterable[Row] | AsyncIterable[Row],
        *,
        endpoint: str,
        model: str = "",
        completion_window: str = "",
        metadata: Mapping[str, str] | None = None,
        filename: str = "",
        input_expires_after: timedelta | float | None = None,
        output_expires_after: timedelta | float | None = None,
        request_id: str = "",
        provider: str | None = None,
        timeout: float | None = None,
    ) -> pb.SubmitBatchResponse:
        """Make a batch of rows, without a file of one's own.

        A row is `{"custom_id": …, "body": {…}}` or a `BatchLine`; `model` is filled in where a
        body has none. With a `request_id` it can be repeated.

        Raises:
            InvalidJsonl: Rows are faulty; nothing was created.
            TypeError, ValueError: A row is none, or its id is neither a string nor an integer.
            OutcomeUnknown: It may have been created.
        """
        submission = pb.SubmitBatchMetadata(
            provider=self._provider(provider),
            endpoint=endpoint,
            completion_window=completion_window,
            metadata=metadata,
            model=model,
            filename=filename,
            input_expires_after=duration(input_expires_after),
            output_expires_after=duration(output_expires_after),
            request_id=request_id,
        )
        requests = _requests(submission, each(rows))
        return await self._sent(self.batches.SubmitBatch, requests, timeout=timeout)

    def results(
        self,
        batch_id: str,
        *,
        filter: "pb.ResultFilter.ValueType" = pb.RESULT_FILTER_UNSPECIFIED,  # noqa: A002 - the contract's word
        resume_token: str = "",
        wait_until_done: bool = False,
        provider: str | None = None,
        timeout: float | None = None,
    ) -> AsyncResults:
        """A batch's results, row by row; see `AsyncResults`.

        Raises:
            BatchNotFinished: With the first row, unless `wait_until_done`.
        """
        request = pb.StreamBatchResultsRequest(
            provider=self._provider(provider),
            batch_id=batch_id,
            filter=filter,
            resume_token=resume_token,
            wait_until_done=wait_until_done,
        )

        def received(
            following: Callable[[], tuple[Stream, object]],
        ) -> AsyncGenerator[pb.StreamBatchResultsResponse, None]:
            return self._received(following, timeout=timeout)

        return AsyncResults(request, received, self.batches.StreamBatchResults)

    async def retry_batch(
        self,
        batch_id: str,
        *,
        scope: "pb.RetryScope.ValueType" = pb.RETRY_SCOPE_UNSPECIFIED,
        metadata: Mapping[str, str] | None = None,
        completion_window: str = "",
        request_id: str = "",
        provider: str | None = None,
        timeout: float | None = None,
    ) -> pb.RetryBatchResponse:
        """A new batch of the lines without success. With a `request_id` it can be repeated, and is.

        Raises:
            ProviderConflict: Nothing is left to retry.
            BatchNotFinished: It has not ended.
        """
        request = pb.RetryBatchRequest(
            provider=self._provider(provider),
            batch_id=batch_id,
            scope=scope,
            metadata=metadata,
            completion_window=completion_window,
            request_id=request_id,
        )
        return await self._unary(
            self.batches.RetryBatch,
            request,
            timeout=timeout,
            default=CREATION_SECONDS,
            repeatable=bool(request_id),
        )


async def _requests(
    submission: pb.SubmitBatchMetadata, rows: AsyncIterator[Row]
) -> AsyncIterator[pb.SubmitBatchRequest]:
    yield pb.SubmitBatchRequest(metadata=submission)
    packer = Packer()
    async for row in rows:
        if full := packer.add(row):
            yield full
    if rest := packer.flush():
        yield rest
