"""The content of an upload as it arrives: counted, hashed, and verified before its end is let go."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from batchgate.v1 import file_service_pb2
from batchgate_server.call import current_call
from batchgate_server.errors import ChecksumMismatch, FileTooLarge, InvalidField, UploadProtocol

Message = file_service_pb2.UploadFileRequest
SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)


async def read_metadata(messages: AsyncIterator[Message]) -> file_service_pb2.UploadFileMetadata:
    """The first message of an upload, which must carry metadata."""
    first = await anext(messages, None)
    if first is None:
        raise UploadProtocol("the stream ended without a message; the first must carry metadata")
    if first.WhichOneof("payload") != "metadata":
        raise UploadProtocol("the first message must carry metadata, not a chunk")
    return first.metadata


class UploadContent:
    """The chunks of an upload, to be read once.

    Reading raises a GatewayError as soon as something is wrong: then the reader must leave its own
    body unfinished, so that the provider gets no file.
    """

    def __init__(
        self,
        messages: AsyncIterator[Message],
        *,
        metadata: file_service_pb2.UploadFileMetadata,
        limit: int,
        limited_by: str,
        confirm_end: Callable[[], Awaitable[None]],
    ) -> None:
        """Check what was announced.

        `limit` is in bytes, and `limited_by` says whose it is. `confirm_end` raises unless the
        caller ended the stream on purpose: a stream that breaks off looks the same from inside.
        """
        self.size_bytes = metadata.size_bytes if metadata.HasField("size_bytes") else None
        self._sha256 = metadata.sha256.lower()
        if self.size_bytes is not None and self.size_bytes < 0:
            raise InvalidField("metadata.size_bytes", "must not be negative")
        if self._sha256 and not SHA256.fullmatch(self._sha256):
            raise InvalidField("metadata.sha256", "must be 64 hexadecimal digits")
        self._limit = limit
        self._too_large = FileTooLarge(
            f"the file is larger than {limit} bytes, the limit of {limited_by} for purpose "
            f'"{metadata.purpose}"',
            metadata={"provider": limited_by},
        )
        if (self.size_bytes or 0) > limit:
            raise self._too_large
        self._messages = messages
        self._confirm_end = confirm_end
        self._digest = hashlib.sha256()
        self._call = current_call()
        self.received_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The chunks; empty ones are left out."""
        any_chunk = False
        async for message in self._messages:
            if message.WhichOneof("payload") != "chunk":
                raise UploadProtocol("every message after the first must carry a chunk")
            any_chunk = True
            if chunk := message.chunk:
                self._count(chunk)
                yield chunk
        await self._confirm_end()
        if not any_chunk:
            raise UploadProtocol(
                "no chunk followed the metadata; send an empty file as an empty one"
            )
        self._verify()

    def report(self) -> file_service_pb2.UploadReport:
        """What passed through."""
        return file_service_pb2.UploadReport(
            received_bytes=self.received_bytes,
            sent_bytes=self.received_bytes,
            sha256=self._digest.hexdigest(),
        )

    def _count(self, chunk: bytes) -> None:
        self.received_bytes += len(chunk)
        self._call.received_bytes = self.received_bytes
        if self.received_bytes > self._limit:
            raise self._too_large
        if self.size_bytes is not None and self.received_bytes > self.size_bytes:
            raise ChecksumMismatch(
                f"size differs: announced {self.size_bytes} bytes, received more; no file was created"
            )
        self._digest.update(chunk)

    def _verify(self) -> None:
        if self.size_bytes is not None and self.received_bytes != self.size_bytes:
            raise ChecksumMismatch(
                f"size differs: announced {self.size_bytes} bytes, received "
                f"{self.received_bytes}; no file was created"
            )
        if self._sha256 and self._sha256 != self._digest.hexdigest():
            raise ChecksumMismatch(
                f"sha256 differs: announced {self._sha256}, received {self._digest.hexdigest()}; "
                "no file was created"
            )
