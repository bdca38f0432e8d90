"""The results of a batch, and where to go on with them."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, Self

import grpc

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client.errors import BatchgateError, Details
from batchgate_client.joining import Joiner


class AsyncResults:
    """Iterates over `BatchResult`s. Where the gateway goes away, it goes on: no row is lost or comes twice.

    A row whose body comes in parts is given out whole. `resume_token` goes on, in another process
    too, after the last message whose rows have all been given out; rows given out since then come
    again. `messages` gives them as they came, with whole rows.
    """

    def __init__(
        self,
        request: pb.StreamBatchResultsRequest,
        received: Callable[
            [Callable[[], Any]], AsyncGenerator[pb.StreamBatchResultsResponse, None]
        ],
        method: Callable[..., Any],
    ) -> None:
        """`received` gives the messages of `method` and `request`, whose token is kept up here."""
        self._request = request
        self._method = method
        self._joiner = Joiner()
        self._received = received(self._following)
        self._rows = self._each_row()
        self.resume_token = request.resume_token

    def _following(self) -> tuple[Callable[..., Any], object]:
        # What came of a row before a break comes anew.
        self._joiner.drop()
        return self._method, self._request

    async def messages(self) -> AsyncGenerator[pb.StreamBatchResultsResponse, None]:
        """The messages; `resume_token` is that of the last one that was given out."""
        async for message in self._messages():
            self.resume_token = self._request.resume_token
            yield message

    async def _messages(self) -> AsyncGenerator[pb.StreamBatchResultsResponse, None]:
        async for part in self._received:
            message = self._joiner.whole(part)
            if message is None:
                continue
            # Before anything else: what breaks off now must not bring these rows again.
            self._request.resume_token = message.resume_token or self._request.resume_token
            yield message
        if row := self._joiner.unfinished:
            text = f"the results end in the middle of {row.custom_id}, line {row.line}"
            raise BatchgateError(grpc.StatusCode.DATA_LOSS, Details(message=text))

    async def _each_row(self) -> AsyncGenerator[pb.BatchResult, None]:
        async for message in self._messages():
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
        await self._received.aclose()
