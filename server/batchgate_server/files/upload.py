"""The content of an upload as it arrives: counted, hashed, and verified before its end is let go."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from batchgate.v1 import file_service_pb2
from batchgate_server.call import current_call
from batchgate_server.errors import (
    ChecksumMismatch,
    FileTooLarge,
    InvalidField,
    InvalidJsonl,
    UploadProtocol,
)
from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.steps import in_steps
from batchgate_server.translation.jsonl import invalid_jsonl, issue_message

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
        checker: JsonlChecker | None = None,
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
        self._provider = limited_by
        self._messages = messages
        self._confirm_end = confirm_end
        self._digest = hashlib.sha256()
        self._call = current_call()
        self._checker = checker
        self.received_bytes = 0
        self.sent_bytes = 0

    @property
    def is_checked(self) -> bool:
        """Whether the lines are looked at on their way."""
        return self._checker is not None

    @property
    def sent_size_bytes(self) -> int | None:
        """How many bytes will come out, if known beforehand."""
        return None if self._checker and self._checker.rewrites else self.size_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes to send; empty pieces are left out."""
        any_chunk = False
        async for message in self._messages:
            any_chunk = True
            piece = await self._taken(message)
            self._raise_faults()
            if piece:
                self.sent_bytes += len(piece)
                yield piece
        await self._confirm_end()
        if not any_chunk:
            raise UploadProtocol(
                "no chunk followed the metadata; send an empty file as one empty chunk"
            )
        self._verify()
        if self._checker:
            piece = await in_steps(self._checker.finishing())
            self._call.received_lines = self._checker.line_count
            self._raise_faults()
            if piece:
                self.sent_bytes += len(piece)
                yield piece
        self._call.creating = "file"
        self._call.tell("content complete", bytes=self.received_bytes)

    async def only_checked(self) -> None:
        """Read everything and send nothing; the report has the faults."""
        try:
            async for _ in self:
                pass
        except InvalidJsonl:
            await self.all_faults()
        self.sent_bytes = 0

    async def all_faults(self) -> InvalidJsonl:
        """Read on after an InvalidJsonl, to name more faults than the first."""
        assert self._checker is not None  # noqa: S101 - only a checker raises that
        async for message in self._messages:
            if self._checker.is_full:
                break
            await self._taken(message)
        else:
            await in_steps(self._checker.finishing())
        return invalid_jsonl(self._checker.issues, provider=self._provider)

    def report(self) -> file_service_pb2.UploadReport:
        """What passed through."""
        checker = self._checker
        return file_service_pb2.UploadReport(
            received_bytes=self.received_bytes,
            sent_bytes=self.sent_bytes,
            sha256=self._digest.hexdigest(),
            line_count=checker.line_count if checker else 0,
            models=checker.models if checker else (),
            urls=checker.urls if checker else (),
            rewritten_lines=checker.rewritten_lines if checker else 0,
            issues=map(issue_message, checker.issues) if checker else (),
            warnings=map(issue_message, checker.warnings) if checker else (),
        )

    async def _taken(self, message: Message) -> bytes:
        """What to send for a message of the caller."""
        if message.WhichOneof("payload") != "chunk":
            raise UploadProtocol("every message after the first must carry a chunk")
        chunk = message.chunk
        self._count(chunk)
        if self._checker is None:
            return chunk
        piece = await in_steps(self._checker.feeding(chunk))
        self._call.received_lines = self._checker.line_count
        return piece

    def _raise_faults(self) -> None:
        if self._checker and self._checker.issues:
            raise invalid_jsonl(self._checker.issues, provider=self._provider)

    def _count(self, chunk: bytes) -> None:
        self.received_bytes += len(chunk)
        self._call.count_received(len(chunk))
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
