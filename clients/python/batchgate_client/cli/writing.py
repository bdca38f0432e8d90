"""The results of a batch, written as they come."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from batchgate.v1.batch_service_pb2 import ResultFilter
from batchgate_client import Client
from batchgate_client.cli import again
from batchgate_client.cli.connection import Connection
from batchgate_client.cli.failures import FAILED, INTERRUPTED, failure
from batchgate_client.cli.progress import Steps
from batchgate_client.cli.result_rows import Tally, row_line
from batchgate_client.cli.resumable import ResultsFile
from batchgate_client.cli.wording import counted


def pour_results(client: Client, batch_id: str, *, rows: str, wait: bool) -> None:
    """All rows to the standard output, as lines of JSON."""
    wanted = ResultFilter.Value(rows)
    results = client.results(batch_id, filter=wanted, wait_until_done=wait)
    with closing(results):
        for message in results.messages():
            sys.stdout.buffer.write(b"".join(map(row_line, message.results)))
            sys.stdout.buffer.flush()


def write_results(client: Client, file: ResultsFile, *, steps: Steps, wait: bool = False) -> Tally:
    """The rows that are not in the file yet, behind those that are; the count of all.

    Raises:
        OSError: The file cannot be written; whole rows are in it, and its record says which.
    """
    record = file.record
    tally = record.tally.copy()
    results = client.results(
        record.batch_id,
        filter=ResultFilter.Value(record.filter),
        resume_token=record.resume_token,
        wait_until_done=wait,
    )
    steps.begin("results", f"into {file.path}")
    with steps.rows("results") as bar, closing(results):
        try:
            for message in results.messages():
                file.write(b"".join(map(row_line, message.results)))
                for row in message.results:
                    tally.add(row)
                file.mark(results.resume_token, tally)
                bar.outcomes(
                    "results",
                    total=0,
                    succeeded=tally.succeeded,
                    failed=tally.failed,
                    note=counted(tally.rows, "row"),
                )
        except BaseException:
            # Where the disk is full the record before this one is as good, only older.
            with suppress(OSError):
                file.abandon()
            raise
    file.finish()
    return tally


@contextmanager
def resumable(connection: Connection, file: ResultsFile) -> Iterator[None]:
    """Around `write_results`: where it breaks off, say how to go on."""
    line = again.command(
        connection, "results", file.record.batch_id, "--out", file.path, "--resume"
    )
    hint = f"to go on:\n  {line}" if file.can_resume else "it cannot be gone on with"
    try:
        yield
    except OSError as error:
        kept = "; the rows in it are whole" if file.can_resume else ""
        raise failure(f"{file.path}: {error.strerror}{kept}; {hint}", code=FAILED) from None
    except KeyboardInterrupt:
        raise failure(f"interrupted; {hint}", code=INTERRUPTED) from None
