"""Rows of results whose body was cut over several messages, put together again: pure."""

from batchgate.v1 import batch_service_pb2 as pb


class Joiner:
    """Keeps messages back until their last row is whole.

    Where a message ends in the middle of a row it has no token behind its other rows either: all of
    them come anew after a break, and so are given out together with that row.
    """

    def __init__(self) -> None:
        self._rows: list[pb.BatchResult] = []
        self._parts: list[str] = []

    @property
    def unfinished(self) -> pb.BatchResult | None:
        """The row of which more has to come, if there is one."""
        return self._rows[-1] if self._parts else None

    def drop(self) -> None:
        """The stream begins anew, and with it the row."""
        self._rows.clear()
        self._parts.clear()

    def whole(self, message: pb.StreamBatchResultsResponse) -> pb.StreamBatchResultsResponse | None:
        """The message with whole rows, once they are; None where more has to come."""
        if not self._parts and not any(row.body_continues for row in message.results):
            return message
        for row in message.results:
            self._add(row)
        if self._parts:
            return None
        joined = pb.StreamBatchResultsResponse(
            results=self._rows, resume_token=message.resume_token
        )
        self._rows.clear()
        return joined

    def _add(self, row: pb.BatchResult) -> None:
        if not self._parts:
            self._rows.append(row)
            if not row.body_continues:
                return
        self._parts.append(row.response.body_json)
        if row.body_continues:
            return
        # One join at the end: adding each part to those before it would take the square of the time.
        last = self._rows[-1]
        last.response.body_json = "".join(self._parts)
        last.body_continues = False
        self._parts.clear()
