"""`batchgate submit`: a batch of rows, without a batch file."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchgate_client.cli import again
from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.failures import UNUSABLE, failure
from batchgate_client.cli.options import (
    ExpiresAfter,
    Metadata,
    OutputExpiresAfter,
    RequestId,
    Window,
    labels,
    seconds,
)

if TYPE_CHECKING:
    from batchgate_client.rows import Row


@calls
def submit(
    call: Call,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="ROWS.jsonl",
            help="Lines of JSON: each a request's body, or with custom_id and body.",
            show_default=False,
        ),
    ] = None,
    *,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead: a CSV file with a header.", show_default=False),
    ] = None,
    column: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Its column with the prompts, if no --template.",
            show_default=False,
        ),
    ] = "",
    template: Annotated[
        str,
        typer.Option(
            metavar="TEXT",
            help="The prompt, with columns in braces: 'Is this praise? {text}'",
            show_default=False,
        ),
    ] = "",
    id_column: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Its column with the rows' ids. Default: row-1, row-2, …",
            show_default=False,
        ),
    ] = "",
    system: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="What the model is told before each prompt.", show_default=False
        ),
    ] = "",
    delimiter: Annotated[str, typer.Option(metavar="CHARACTER", help="Between values.")] = ",",
    endpoint: Annotated[
        str, typer.Option(metavar="PATH", help="Where the requests go.")
    ] = "/v1/chat/completions",
    model: Annotated[
        str, typer.Option(help="The model of rows that name none.", show_default=False)
    ] = "",
    metadata: Metadata = None,
    window: Window = "",
    expires_after: ExpiresAfter = None,
    output_expires_after: OutputExpiresAfter = None,
    request_id: RequestId = "",
) -> None:
    """Make a batch of rows: bodies of requests, or a table and a template."""
    # Here, since protobuf is slow to import.
    from batchgate_client.cli.bodies import jsonl_rows  # noqa: PLC0415
    from batchgate_client.cli.templates import csv_rows  # noqa: PLC0415
    from batchgate_client.sources import sendable  # noqa: PLC0415

    if (file is None) == (csv is None):
        raise failure("give either a file of JSON lines, or --csv", code=UNUSABLE)
    if csv and not column and not template:
        raise failure("--csv needs --column or --template", code=UNUSABLE)
    if len(delimiter.replace("\\t", "\t")) != 1:
        raise failure("--delimiter is one character, or \\t", code=UNUSABLE)
    pairs = labels(metadata)
    rows: Iterator[Row] = iter(())
    if csv:
        rows = csv_rows(
            csv,
            column=column,
            template=template,
            id_column=id_column,
            endpoint=endpoint,
            system=system,
            delimiter=delimiter.replace("\\t", "\t"),
        )
    elif file:
        rows = jsonl_rows(file, endpoint=endpoint)
    # The first row is read before anything is begun.
    first = next(rows, None)
    if first is None:
        raise failure(f"{file or csv}: has no rows", code=UNUSABLE)
    keep = seconds(expires_after, "--expires-after")
    keep_output = seconds(output_expires_after, "--output-expires-after")
    with call.creating(request_id, pairs) as (client, repeatable):
        answer = client.submit_batch(
            chain([first], rows),
            endpoint=endpoint,
            model=model,
            metadata=pairs,
            completion_window=window,
            filename=sendable(f"{(file or csv or Path('batch')).stem}.jsonl"),
            input_expires_after=keep,
            output_expires_after=keep_output,
            request_id=repeatable,
        )
    call.output.created("batch", answer.batch.id, answer)
    line = again.command(call.connection, "watch", answer.batch.id)
    call.output.note(f"follow it with: {line}")
