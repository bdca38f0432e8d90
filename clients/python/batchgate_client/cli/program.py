"""The program `batchgate` and its commands."""

import os
from importlib.metadata import version
from typing import Annotated

import typer

from batchgate_client.cli.demo import demo
from batchgate_client.cli.keys import keys
from batchgate_client.cli.sandbox import sandbox
from batchgate_client.cli.serve import serve

app = typer.Typer(
    name="batchgate",
    help="A gRPC gateway for the Files and Batches APIs of OpenAI and Azure OpenAI.",
    no_args_is_help=True,
    add_completion=False,
    # Its tracebacks show local variables, and so could show secrets.
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(sandbox)
app.command()(demo)
app.add_typer(keys, name="keys")


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
    app(prog_name="batchgate")
