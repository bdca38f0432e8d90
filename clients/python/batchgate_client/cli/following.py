"""A batch watched to its end, with a bar, or a line for each change."""

from contextlib import closing

from batchgate.v1.batch_pb2 import BATCH_STATUS_COMPLETED, Batch
from batchgate.v1.batch_service_pb2 import RESULT_FILTER_FAILED, WATCH_EVENT_HEARTBEAT
from batchgate_client import Client
from batchgate_client.cli.call import Call
from batchgate_client.cli.failures import BATCH_FAILED, ROWS_FAILED
from batchgate_client.cli.output import json_text
from batchgate_client.cli.progress import Bar, Steps
from batchgate_client.cli.result_rows import Tally
from batchgate_client.cli.wording import counts_text, state_text
from batchgate_client.errors import NotFound


class Follower:
    """Shows what happens to a batch; as JSON lines on the standard output if that is wanted."""

    def __init__(self, call: Call, *, as_json: bool | None = None) -> None:
        self._as_json = call.output.as_json if as_json is None else as_json
        self._line = call.output.raw
        # Bars would run into lines that go to the same terminal.
        self._steps = Steps(plain=self._as_json)
        self._bar: Bar | None = None
        self._batch = Batch()
        self._waits_for = ""

    def follow(self, client: Client, batch_id: str) -> Batch:
        """Watch a batch until it is terminal; as it is then."""
        with self._steps.rows("watching") as bar, closing(client.watch_batch(batch_id)) as watch:
            self._bar = bar
            try:
                for news in watch:
                    if self._as_json:
                        self._line(json_text(news))
                    elif news.event != WATCH_EVENT_HEARTBEAT:
                        self._show(news.batch)
                    self._batch = news.batch
            finally:
                self._bar = None
        if self._steps.draws:
            self._tell_state()
        for error in self._batch.errors:
            place = f"line {error.line}: " if error.HasField("line") else ""
            self._steps.tell("error", f"{place}{error.code}: {error.message}")
        return self._batch

    def _show(self, batch: Batch) -> None:
        self._batch = batch
        if self._steps.draws:
            self._draw()
        else:
            self._tell_state()

    def _tell_state(self) -> None:
        self._steps.tell(state_text(self._batch), counts_text(self._batch.request_counts))

    def _draw(self) -> None:
        counts = self._batch.request_counts
        if self._bar:
            self._bar.outcomes(
                state_text(self._batch),
                total=counts.total,
                succeeded=counts.completed,
                failed=counts.failed,
                note=f"{self._waits_for}; trying again" if self._waits_for else counts_text(counts),
            )

    def on_change(self, why: str) -> None:
        """It has to wait, or goes on."""
        self._waits_for = why
        if self._steps.draws and self._bar:
            self._draw()
        elif why:
            self._steps.tell("waiting", f"{why}; trying again")
        else:
            self._steps.tell("going on", "there is an answer again")


def outcome(batch: Batch, tally: Tally) -> int:
    """The exit code of a batch whose rows were all read: they count, not what the batch says of them."""
    if batch.status != BATCH_STATUS_COMPLETED:
        return BATCH_FAILED
    return ROWS_FAILED if tally.failed else 0


def expected_rows(batch: Batch, *, uncounted: int = 0) -> int:
    """How many rows there have to be, `uncounted` where the batch does not say; 0 where any number is right."""
    if batch.status != BATCH_STATUS_COMPLETED:
        return 0
    return batch.request_counts.total or uncounted


def watched_outcome(client: Client, batch: Batch) -> int:
    """The exit code of a batch that was only watched: by its counts, and a look at rows where those may lie."""
    if batch.status != BATCH_STATUS_COMPLETED:
        return BATCH_FAILED
    counts = batch.request_counts
    if counts.failed:
        return ROWS_FAILED
    clear = counts.total and counts.completed == counts.total and batch.output_file_id
    if clear and not batch.error_file_id:
        return 0
    try:
        with closing(client.results(batch.id, filter=RESULT_FILTER_FAILED)) as rows:
            return ROWS_FAILED if next(iter(rows), None) else 0
    except NotFound:
        return 0  # Its files are deleted; the counts are all that is left.
