# Made from `_async` by generate_sync.py; not to be edited.
"""The results of a batch, and where to go on with them."""

from collections.abc import Generator
from typing import Self

from batchgate.v1 import batch_service_pb2 as pb


class Results:
    """Iterates over `BatchResult`s. Where the gateway goes away, it goes on: no row is lost or comes twice.

    `resume_token` goes on, in another process too, after the last message whose rows have all
    been given out; rows given out since then come again. `messages` gives them as they came.
    """

    def __init__(
        self,
        request: pb.StreamBatchResultsRequest,
        messages: Generator[pb.StreamBatchResultsResponse, None, None],
    ) -> None:
        """`request` is the one that `messages` are begun anew with: its token is kept up here."""
        self._request = request
        self._messages = messages
        self._rows = self._each_row()
        self.resume_token = request.resume_token

    def messages(self) -> Generator[pb.StreamBatchResultsResponse, None, None]:
        """The messages; `resume_token` is that of the last one that was given out."""
        for message in self._messages:
            # Before anything else: what breaks off now must not bring these rows again.
            self._request.resume_token = message.resume_token or self._request.resume_token
            self.resume_token = self._request.resume_token
            yield message

    def _each_row(self) -> Generator[pb.BatchResult, None, None]:
        for message in self._messages:
            self._request.resume_token = message.resume_token or self._request.resume_token
            for number, row in enumerate(message.results, start=1):
                if number == len(message.results):
                    self.resume_token = self._request.resume_token
                yield row

    def __iter__(self) -> Self:
        """The rows."""
        return self

    def __next__(self) -> pb.BatchResult:
        """The next row."""
        return next(self._rows)

    def close(self) -> None:
        """End the call, where not all rows are wanted."""
        self._rows.close()
        self._messages.close()
