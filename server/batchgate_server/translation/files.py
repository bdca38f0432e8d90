"""Files between protos and REST."""

from batchgate.v1 import file_pb2
from batchgate_server.rest.models import RestFile
from batchgate_server.translation.times import timestamp

STATUSES = {
    name.removeprefix("FILE_STATUS_").lower(): file_pb2.FileStatus.Value(name)
    for name in file_pb2.FileStatus.keys()  # noqa: SIM118 - an enum wrapper, not a dict
}


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
