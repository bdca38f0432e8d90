"""The results of a batch, written as they come."""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import grpc

from batchgate.v1.batch_service_pb2 import ResultFilter
from batchgate_client import Client
from batchgate_client.cli import again
from batchgate_client.cli.connection import Connection
from batchgate_client.cli.failures import FAILED, INTERRUPTED, failure
from batchgate_client.cli.progress import Steps
from batchgate_client.cli.result_rows import Tally, row_line
from batchgate_client.cli.resumable import ResultsFile
from batchgate_client.cli.wording import counted
from batchgate_client.errors import Details, ResultsMissing

Expected = Callable[[], int]


def pour_results(client: Client, batch_id: str, *, rows: str, wait: bool) -> Tally:
    """All rows to the standard output, as lines of JSON; the count of them."""
    wanted, tally = ResultFilter.Value(rows), Tally()
    results = client.results(batch_id, filter=wanted, wait_until_done=wait)
    with closing(results):
        for message in results.messages():
            sys.stdout.buffer.write(b"".join(map(row_line, message.results)))
            sys.stdout.buffer.flush()
            for row in message.results:
                tally.add(row)
    return tally


def check_whole(tally: Tally, expected: int) -> None:
    """Whether no row is missing that there has to be.

    Raises:
        ResultsMissing: Rows are missing, and nobody has said which.
    """
    if (missing := expected - tally.rows) > 0:
        text = f"{counted(missing, 'row')} of {expected:,} are not there"
        details = Details(message=text, reason="RESULTS_MISSING")
        raise ResultsMissing(grpc.StatusCode.FAILED_PRECONDITION, details)


def write_results(
    client: Client,
    file: ResultsFile,
    *,
    steps: Steps,
    wait: bool = False,
    expected: Expected = lambda: 0,
) -> Tally:
    """The rows that are not in the file yet, behind those that are; the count of all.

    `expected` is asked at the end how many there have to be: with fewer, the file's record stays.

    Raises:
        OSError: The file cannot be written; whole rows are in it, and its record says which.
        ResultsMissing: Rows are missing.
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
            check_whole(tally, expected())
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
