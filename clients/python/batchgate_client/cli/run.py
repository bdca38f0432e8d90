"""`batchgate run`: a batch file, from the check to its results."""

import math
from pathlib import Path
from typing import Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.options import (
    ExpiresAfter,
    Force,
    Metadata,
    OutputExpiresAfter,
    Window,
    labels,
    seconds,
)

EPILOG = (
    "Exit codes: 0 all rows succeeded; 1 something went wrong on the way, or results are missing, and "
    "the same command goes on; 2 it cannot be carried out as given, and nothing was started; 3 some rows failed; 4 the "
    "batch failed, expired or was cancelled; 5 the batch could not be started, and may be later; "
    "130 interrupted."
)


@calls
def run(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="INPUT.jsonl", help="The batch file.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where the results go. Default: INPUT.results.jsonl in this directory.",
            show_default=False,
        ),
    ] = None,
    endpoint: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Where the lines go. Default: the lines' own url.",
            show_default=False,
        ),
    ] = "",
    metadata: Metadata = None,
    window: Window = "",
    expires_after: ExpiresAfter = None,
    output_expires_after: OutputExpiresAfter = None,
    force: Force = False,
) -> None:
    """Run a batch file: check, upload, create, follow, and get the results.

    Interrupted or broken off, the same command goes on where it was: FILE.resume beside the results
    remembers it, and no batch is created twice.
    """
    # Here, since gRPC is slow to import.
    from batchgate_client.cli.running import Plan, Run  # noqa: PLC0415

    plan = Plan(
        input=file,
        out=out or Path(f"{file.stem}.results.jsonl"),
        endpoint=endpoint,
        metadata=labels(metadata),
        completion_window=window,
        expires_after=seconds(expires_after, "--expires-after"),
        output_expires_after=seconds(output_expires_after, "--output-expires-after"),
        force=force,
    )
    running = Run(call, plan)
    with call.connection.client(patience=math.inf, on_change=running.follower.on_change) as client:
        code = running.go(client)
    raise typer.Exit(code)
