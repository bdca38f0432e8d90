"""`batchgate files`: files that a provider keeps."""

from pathlib import Path
from typing import Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.options import ExpiresAfter, Force, Limit, seconds
from batchgate_client.cli.wording import size_text

files = typer.Typer(help="Files that a provider keeps.", no_args_is_help=True)
COLUMNS = ("id", "filename", "purpose", "size_bytes", "status_text", "created_at", "expires_at")
FileId = Annotated[str, typer.Argument(metavar="FILE_ID", help="The provider's id of the file.")]


@files.command()
@calls
def upload(
    call: Call,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to upload.")],
    *,
    purpose: Annotated[str, typer.Option(help="What it is for.")] = "batch",
    endpoint: Annotated[
        str,
        typer.Option(metavar="PATH", help="Where all its lines must go.", show_default=False),
    ] = "",
    expires_after: ExpiresAfter = None,
    no_check: Annotated[
        bool,
        typer.Option("--no-check", help="Do not look at its lines.", show_default=False),
    ] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Until a batch can use it.", show_default=False),
    ] = False,
) -> None:
    """Upload a file; one of purpose `batch` is checked on its way."""
    from batchgate.v1.file_service_pb2 import (  # noqa: PLC0415
        JSONL_CHECK_OFF,
        JSONL_CHECK_UNSPECIFIED,
    )
    from batchgate_client.cli.transfers import upload_file  # noqa: PLC0415

    with call.connection.client() as client:
        answer = upload_file(
            client,
            file,
            steps=call.steps(),
            purpose=purpose,
            endpoint=endpoint,
            expires_after=seconds(expires_after, "--expires-after"),
            jsonl_check=JSONL_CHECK_OFF if no_check else JSONL_CHECK_UNSPECIFIED,
            wait_until_processed=wait,
        )
    call.output.created("file", answer.file.id, answer.file)


@files.command("list")
@calls
def list_files(
    call: Call,
    *,
    purpose: Annotated[
        str, typer.Option(help="Only those of this purpose.", show_default=False)
    ] = "",
    limit: Limit = 50,
) -> None:
    """List files, newest first."""
    with call.connection.client() as client:
        found = client.list_files(purpose=purpose)
        call.output.items(found, COLUMNS, limit=limit, nothing="no files")


@files.command()
@calls
def get(call: Call, file_id: FileId) -> None:
    """Show what the provider says of a file."""
    with call.connection.client() as client:
        call.output.item(client.get_file(file_id))


@files.command()
@calls
def delete(call: Call, file_id: FileId) -> None:
    """Delete a file at the provider."""
    with call.connection.client() as client:
        answer = client.delete_file(file_id)
    call.output.item(answer)


@files.command()
@calls
def download(
    call: Call,
    file_id: FileId,
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where to. One that broke off is gone on with. Default: the standard output.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Download a file's content."""
    from batchgate_client.cli.transfers import download_file, pour  # noqa: PLC0415

    with call.connection.client() as client:
        if out is None:
            pour(client, file_id)
        else:
            size = download_file(client, file_id, out, steps=call.steps(), force=force)
            call.output.done({"path": str(out), "size_bytes": size}, f"{out}: {size_text(size)}")
