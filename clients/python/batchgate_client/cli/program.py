"""The program `batchgate` and its commands."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from batchgate_client.cli.batches import batches
from batchgate_client.cli.check import check
from batchgate_client.cli.demo import demo
from batchgate_client.cli.files import files
from batchgate_client.cli.keys import keys
from batchgate_client.cli.providers import health, providers
from batchgate_client.cli.results import results
from batchgate_client.cli.run import EPILOG, run
from batchgate_client.cli.sandbox import sandbox
from batchgate_client.cli.serve import serve
from batchgate_client.cli.standard_output import guarded
from batchgate_client.cli.submit import submit
from batchgate_client.cli.watch import watch

WORK, LOOK, GATEWAY = "Work with batches", "Look", "Run a gateway"
app = typer.Typer(
    name="batchgate",
    help="A gRPC gateway for the Files and Batches APIs of OpenAI and Azure OpenAI.",
    no_args_is_help=True,
    # Its tracebacks show local variables, and so could show secrets.
    pretty_exceptions_enable=False,
)
app.command(epilog=EPILOG, rich_help_panel=WORK)(run)
app.command(rich_help_panel=WORK)(submit)
app.command(rich_help_panel=WORK)(watch)
app.command(rich_help_panel=WORK)(results)
app.command(rich_help_panel=WORK)(check)
app.add_typer(files, name="files", rich_help_panel=LOOK)
app.add_typer(batches, name="batches", rich_help_panel=LOOK)
app.command(rich_help_panel=LOOK)(providers)
app.command(rich_help_panel=LOOK)(health)
app.command(rich_help_panel=GATEWAY)(serve)
app.command(rich_help_panel=GATEWAY)(sandbox)
app.command(rich_help_panel=GATEWAY)(demo)
app.add_typer(keys, name="keys", rich_help_panel=GATEWAY)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - the form of an option's callback
    if wanted:
        typer.echo(f"batchgate {version('batchgate')}")
        raise typer.Exit


@app.callback()
def _program(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the program with the arguments of this process."""
    # gRPC's own log lines are for its developers; the variable brings them back.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    with guarded():
        app(prog_name="batchgate")
