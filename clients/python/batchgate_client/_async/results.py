"""The results of a batch, and where to go on with them."""

from collections.abc import AsyncGenerator
from typing import Self

from batchgate.v1 import batch_service_pb2 as pb


class AsyncResults:
    """Iterates over `BatchResult`s. Where the gateway goes away, it goes on: no row is lost or comes twice.

    `resume_token` goes on, in another process too, after the last message whose rows have all
    been given out; rows given out since then come again. `messages` gives them as they came.
    """

    def __init__(
        self,
        request: pb.StreamBatchResultsRequest,
        messages: AsyncGenerator[pb.StreamBatchResultsResponse, None],
    ) -> None:
        """`request` is the one that `messages` are begun anew with: its token is kept up here."""
        self._request = request
        self._messages = messages
        self._rows = self._each_row()
        self.resume_token = request.resume_token

    async def messages(self) -> AsyncGenerator[pb.StreamBatchResultsResponse, None]:
        """The messages; `resume_token` is that of the last one that was given out."""
        async for message in self._messages:
            # Before anything else: what breaks off now must not bring these rows again.
            self._request.resume_token = message.resume_token or self._request.resume_token
            self.resume_token = self._request.resume_token
            yield message

    async def _each_row(self) -> AsyncGenerator[pb.BatchResult, None]:
        async for message in self._messages:
            self._request.resume_token = message.resume_token or self._request.resume_token
            for number, row in enumerate(message.results, start=1):
                if number == len(message.results):
                    self.resume_token = self._request.resume_token
                yield row

    def __aiter__(self) -> Self:
        """The rows."""
        return self

    async def __anext__(self) -> pb.BatchResult:
        """The next row."""
        return await anext(self._rows)

    async def close(self) -> None:
        """End the call, where not all rows are wanted."""
        await self._rows.aclose()
        await self._messages.aclose()
