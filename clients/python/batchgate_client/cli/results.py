"""`batchgate results`: a batch's rows, to the standard output or to a file that can be gone on with."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.options import BatchId, Force, Wait


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
    from batchgate_client.cli.resumable import Record, begun, found_for, opened  # noqa: PLC0415
    from batchgate_client.cli.writing import (  # noqa: PLC0415
        pour_results,
        resumable,
        write_results,
    )

    wanted = f"RESULT_FILTER_{rows.name}"
    if resume and out is None:
        out = found_for(batch_id)
    with call.connection.client() as client:
        if out is None:
            pour_results(client, batch_id, rows=wanted, wait=wait)
            return
        with opened(out) as file:
            record = Record(batch_id=batch_id, filter=wanted)
            begun(file, record, resume=resume, force=force)
            with resumable(call.connection, file):
                tally = write_results(client, file, steps=call.steps(), wait=wait)
    call.output.done(
        {"path": str(out), "succeeded": tally.succeeded, "failed": tally.failed},
        f"{out}: {tally.rows:,} rows, {tally.failed:,} of them failed",
    )
