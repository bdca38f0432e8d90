"""Files that go up and come down, with a bar."""

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from batchgate.v1.file_service_pb2 import UploadFileResponse
from batchgate_client import Client
from batchgate_client.cli.failures import FAILED, UNUSABLE, failure, file_failure
from batchgate_client.cli.progress import Steps
from batchgate_client.cli.wording import size_text


def upload_file(
    client: Client,
    path: Path,
    *,
    steps: Steps,
    **options: Any,  # noqa: ANN401 - those of the client's method
) -> UploadFileResponse:
    """Upload a file.

    Raises:
        typer.Exit: it cannot be read.
    """
    try:
        with steps.transfer("uploading", path.stat().st_size) as bar:
            return client.upload_file(path, progress=bar.reach, **options)
    except OSError as error:
        error.filename = error.filename or str(path)
        raise file_failure(error) from None


def pour(client: Client, file_id: str) -> None:
    """A file's content to the standard output."""
    with closing(client.download_file(file_id)) as pieces:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def download_file(
    client: Client, file_id: str, path: Path, *, steps: Steps, force: bool = False
) -> int:
    """A file's content to a path, where it stands once it is whole; its size.

    Until then it is beside it, as `NAME.ID.part`, from which the same command goes on.

    Raises:
        typer.Exit: something is there already, or it cannot be written.
    """
    if path.is_dir() or (path.exists() and not force):
        what = "is a directory" if path.is_dir() else "is there already; --force replaces it"
        raise failure(f"{path}: {what}", code=UNUSABLE)
    file = client.get_file(file_id)
    size = file.size_bytes if file.HasField("size_bytes") else None
    try:
        with steps.transfer("downloading", size) as bar:
            written = client.download_to(
                file_id, path, progress=lambda done, total: bar.reach(done, size or total)
            )
    except OSError as error:
        message = f"{path}: {error.strerror}; the same command goes on where it broke off"
        raise failure(message, code=FAILED) from None
    if size is not None and written != size:
        # It is there; but whoever goes on with it should know.
        raise failure(
            f"{path}: has {size_text(written)}, and the provider says {size_text(size)}",
            code=FAILED,
        )
    return written
