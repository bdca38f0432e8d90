"""`batchgate keys`: tokens of callers."""

from typing import Annotated

import typer

from batchgate_client.cli.failures import failure, server_extra

keys = typer.Typer(help="Tokens of callers.", no_args_is_help=True)


@keys.callback()
def _group() -> None:
    # With one command alone, Typer would leave its name out.
    pass


@keys.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The caller's name, as team-a.")],
) -> None:
    """Make a token: it is shown once, and only its SHA-256 goes into the configuration."""
    with server_extra():
        from batchgate_server.callers.tokens import digest, new_token  # noqa: PLC0415
        from batchgate_server.settings import check_name  # noqa: PLC0415
    try:
        check_name(name, "a caller")
    except ValueError as error:
        raise failure(str(error), code=2) from None
    token = new_token()
    key = name if "." not in name else f'"{name}"'
    typer.echo(
        f"""\
token for {name}, to be sent as `authorization: Bearer TOKEN`; keep it, it is not shown again:

  {token}

for the gateway's configuration (to rotate, add the digest to those that are there):

  [callers.{key}]
  token_sha256 = ["{digest(token)}"]"""
    )
