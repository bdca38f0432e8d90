"""`batchgate sandbox`: a provider on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from batchgate_client.cli.failures import cannot_listen, failure, server_extra


def sandbox(
    *,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes a free one.")
    ] = "127.0.0.1:8085",
    speed: Annotated[
        str, typer.Option(metavar="fast|real", help="Batches take about a second, or a minute.")
    ] = "fast",
    directory: Annotated[
        Path | None,
        typer.Option(
            "--dir",
            metavar="DIR",
            help="Where files are kept. Default: a temporary directory, removed at the end.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a provider for trying things out: OpenAI's and Azure OpenAI's APIs, no account needed."""
    with server_extra():
        # Here, since it is slow to import and not there without the extra.
        from batchgate_sandbox.__main__ import run  # noqa: PLC0415
    try:
        run(listen=listen, speed=speed, directory=directory)
    except OSError as error:
        if error.filename:
            raise failure(f"--dir {error.filename}: {error.strerror}", code=2) from None
        raise cannot_listen(listen, error) from None
    except ValueError as error:
        raise failure(str(error), code=2) from None
