"""`batchgate results`: a batch's rows, to the standard output or to a file that can be gone on with."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.options import BatchId, Force, Wait

if TYPE_CHECKING:
    from batchgate.v1.batch_pb2 import Batch


class Rows(StrEnum):
    """Which rows are meant."""

    ALL = "all"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@calls
def results(
    call: Call,
    batch_id: BatchId,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Where to. Default: the standard output.", show_default=False
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a file that broke off; without --out, the one in this directory.",
            show_default=False,
        ),
    ] = False,
    rows: Annotated[Rows, typer.Option("--filter", help="Which rows.")] = Rows.ALL,
    wait: Wait = False,
    force: Force = False,
) -> None:
    """Get a batch's results as lines of JSON, one for each row."""
    # Here, since protobuf is slow to import.
    from batchgate_client.cli.following import expected_rows, outcome  # noqa: PLC0415
    from batchgate_client.cli.resumable import Record, begun, found_for, opened  # noqa: PLC0415
    from batchgate_client.cli.writing import (  # noqa: PLC0415
        check_whole,
        pour_results,
        resumable,
        write_results,
    )

    wanted = f"RESULT_FILTER_{rows.name}"
    if resume and out is None:
        out = found_for(batch_id)
    ended: list[Batch] = []
    with call.connection.client() as client:

        def expected() -> int:
            """How many rows there have to be, asked once they are read; of a part nobody knows."""
            if rows is not Rows.ALL:
                return 0
            ended.append(client.get_batch(batch_id))
            return expected_rows(ended[0])

        if out is None:
            tally = pour_results(client, batch_id, rows=wanted, wait=wait)
            check_whole(tally, expected())
        else:
            with opened(out) as file:
                record = Record(batch_id=batch_id, filter=wanted)
                begun(file, record, resume=resume, force=force)
                with resumable(call.connection, file):
                    tally = write_results(
                        client, file, steps=call.steps(), wait=wait, expected=expected
                    )
    if out is not None:
        call.output.done(
            {"path": str(out), **tally.facts()},
            f"{out}: {tally.rows:,} rows, {tally.failed:,} of them failed",
        )
    if not call.output.as_json:
        for line in tally.reason_lines():
            call.steps().tell("failed", line)
    raise typer.Exit(outcome(ended[0], tally) if ended else 0)
