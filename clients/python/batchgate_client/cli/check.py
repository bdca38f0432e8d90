"""`batchgate check`: a batch file checked offline."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from batchgate_client.cli.failures import FAILED, failure
from batchgate_client.cli.output import Output, json_text


class Kind(StrEnum):
    """Whose limits count."""

    OPENAI = "openai"
    AZURE_OPENAI = "azure_openai"


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A batch file: lines of JSON.")],
    *,
    kind: Annotated[
        Kind, typer.Option(help="Whose limits count: 50,000 lines or 100,000.")
    ] = Kind.OPENAI,
    endpoint: Annotated[
        str,
        typer.Option(
            metavar="PATH", help="Where all lines must go, as /v1/responses.", show_default=False
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="The report as JSON, for programs.", show_default=False)
    ] = False,
) -> None:
    """Check a batch file on this machine, and tell each fault with its line (exit code 1)."""
    # Here, since protobuf is slow to import.
    from batchgate_client.cli.checking import (  # noqa: PLC0415
        Limits,
        check_file,
        described,
        issue_lines,
        warning_lines,
    )

    report = check_file(file, Limits.of_kind(kind.value), endpoint=endpoint)
    if as_json:
        Output(as_json=True).raw(json_text(report))
    else:
        fine = [f"{file}: {described(report)}: no faults"]
        for line in [*warning_lines(file, report), *(issue_lines(file, report) or fine)]:
            typer.echo(line)
    if report.issues:
        if as_json:
            raise typer.Exit(FAILED)
        found = len(report.issues)
        raise failure(f"{file}: {found} {'fault' if found == 1 else 'faults'}", code=FAILED)
