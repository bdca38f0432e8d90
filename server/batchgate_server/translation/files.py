"""Files between protos and REST."""

from collections.abc import AsyncIterable

from batchgate.v1 import file_pb2, file_service_pb2
from batchgate_server.operations import NewFile
from batchgate_server.rest.models import RestFile
from batchgate_server.translation.identifiers import (
    checked_filename,
    checked_media_type,
    checked_word,
)
from batchgate_server.translation.times import timestamp, whole_seconds

DEFAULT_CONTENT_TYPE = "application/octet-stream"

STATUSES = {
    name.removeprefix("FILE_STATUS_").lower(): file_pb2.FileStatus.Value(name)
    for name in file_pb2.FileStatus.keys()  # noqa: SIM118 - an enum wrapper, not a dict
}


def new_file(
    metadata: file_service_pb2.UploadFileMetadata,
    *,
    content: AsyncIterable[bytes],
    size_bytes: int | None,
    lifetime: int | None,
) -> NewFile:
    """What to create, checked; `lifetime` in seconds is for uploads that state none."""
    return NewFile(
        filename=checked_filename("metadata.filename", metadata.filename),
        purpose=checked_word("metadata.purpose", metadata.purpose),
        content_type=checked_media_type(
            "metadata.content_type", metadata.content_type or DEFAULT_CONTENT_TYPE
        ),
        content=content,
        size_bytes=size_bytes,
        expires_after_seconds=(
            whole_seconds("metadata.expires_after", metadata.expires_after)
            if metadata.HasField("expires_after")
            else lifetime
        ),
    )


def file_message(file: RestFile, *, provider: str) -> file_pb2.File:
    """A provider's file as the contract has it."""
    return file_pb2.File(
        provider=provider,
        id=file.id,
        filename=file.filename,
        purpose=file.purpose,
        size_bytes=file.bytes,
        created_at=timestamp(file.created_at),
        expires_at=timestamp(file.expires_at),
        status=STATUSES.get(file.status.lower(), file_pb2.FILE_STATUS_UNSPECIFIED),
        status_text=file.status,
        status_details=file.status_details,
    )
