# Made from `_async` by generate_sync.py; not to be edited.
"""Files: upload, look, download, delete."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from batchgate.v1 import file_pb2
from batchgate.v1 import file_service_pb2 as pb
from batchgate_client._sync.calls import Calls, Stream
from batchgate_client._sync.runtime import Source, chunks_of
from batchgate_client.durations import duration
from batchgate_client.sources import CHUNK_BYTES, known_of

Progress = Callable[[int, int | None], None]
"""Told the bytes so far and, where it is known, their whole number."""


class FileCalls(Calls):
    """FileService."""

    def upload_file(
        self,
        source: Source,
        *,
        purpose: str = "batch",
        filename: str | None = None,
        provider: str | None = None,
        expires_after: timedelta | float | None = None,
        sha256: str = "",
        content_type: str = "",
        jsonl_check: "pb.JsonlCheck.ValueType" = pb.JSONL_CHECK_UNSPECIFIED,
        endpoint: str = "",
        validate_only: bool = False,
        wait_until_processed: bool = False,
        chunk_bytes: int = CHUNK_BYTES,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> pb.UploadFileResponse:
        """Upload a file while it is read: a path, bytes, a binary file, or an iterable of bytes.

        The size of a path or of bytes goes along and is verified, and so is `sha256` (hex),
        which is made here for bytes. Nothing is created by an upload that fails. It is never
        repeated by itself. There is no deadline unless `timeout` sets one.

        Raises:
            InvalidJsonl: Lines are faulty; `violations` names each.
            BatchgateError: Another reason; or what reading the source raised, as it is.
        """
        if chunk_bytes < 1:
            message = f"chunk_bytes is {chunk_bytes}: give at least 1"
            raise ValueError(message)
        known = known_of(source)
        metadata = pb.UploadFileMetadata(
            provider=self._provider(provider),
            filename=filename or known.filename or "upload.jsonl",
            purpose=purpose,
            size_bytes=known.size_bytes,
            sha256=sha256 or known.sha256,
            expires_after=duration(expires_after),
            content_type=content_type,
            jsonl_check=jsonl_check,
            endpoint=endpoint,
            validate_only=validate_only,
            wait_until_processed=wait_until_processed,
        )
        requests = _requests(metadata, chunks_of(source, chunk_bytes), progress)
        return self._sent(self.files.UploadFile, requests, timeout=timeout)

    def get_file(
        self, file_id: str, *, provider: str | None = None, timeout: float | None = None
    ) -> file_pb2.File:
        """What the provider says of a file.

        Raises:
            ProviderNotFound: There is none of that id.
        """
        request = pb.GetFileRequest(provider=self._provider(provider), file_id=file_id)
        got = self._unary(self.files.GetFile, request, timeout=timeout, repeatable=True)
        return got.file

    def list_files(
        self,
        *,
        purpose: str = "",
        order: "pb.SortOrder.ValueType" = pb.SORT_ORDER_UNSPECIFIED,
        page_size: int = 0,
        provider: str | None = None,
        timeout: float | None = None,
    ) -> Iterator[file_pb2.File]:
        """All files, page after page as they are asked for. `timeout` holds for each page."""
        token = ""
        while True:
            request = pb.ListFilesRequest(
                provider=self._provider(provider),
                purpose=purpose,
                order=order,
                page_size=page_size,
                page_token=token,
            )
            page = self._unary(self.files.ListFiles, request, timeout=timeout, repeatable=True)
            for file in page.files:
                yield file
            token = page.next_page_token
            if not token:
                return

    def delete_file(
        self, file_id: str, *, provider: str | None = None, timeout: float | None = None
    ) -> pb.DeleteFileResponse:
        """Delete a file.

        Raises:
            ProviderNotFound: There is none of that id.
        """
        request = pb.DeleteFileRequest(provider=self._provider(provider), file_id=file_id)
        return self._unary(self.files.DeleteFile, request, timeout=timeout)

    def download_file(
        self,
        file_id: str,
        *,
        read_offset: int = 0,
        read_limit: int = 0,
        provider: str | None = None,
        timeout: float | None = None,
    ) -> Generator[bytes, None, None]:
        """A file's content in pieces, from `read_offset` on, at most `read_limit` bytes (0: all).

        Where the gateway goes away in the middle, it goes on from there once one is back.
        """
        position, end = read_offset, read_offset + read_limit

        def following() -> tuple[Stream, object] | None:
            if read_limit and position >= end:
                return None
            request = pb.DownloadFileRequest(
                provider=self._provider(provider),
                file_id=file_id,
                read_offset=position,
                read_limit=end - position if read_limit else 0,
            )
            return self.files.DownloadFile, request

        with closing(self._received(following, timeout=timeout)) as pieces:
            for piece in pieces:
                position = piece.offset + len(piece.chunk)
                yield piece.chunk

    def download_to(
        self,
        file_id: str,
        target: str | Path | BinaryIO,
        *,
        provider: str | None = None,
        progress: Progress | None = None,
        timeout: float | None = None,
    ) -> int:
        """Write a file's content to a path or a binary file; the number of bytes.

        At a path the file stands once it is whole; until then it is beside it, as `NAME.ID.part`, from
        which a later call goes on.
        """
        if not isinstance(target, str | Path):
            pieces = self.download_file(file_id, provider=provider, timeout=timeout)
            return _write(pieces, target, progress)
        path = Path(target)
        part = path.with_name(f"{path.name}.{file_id}.part")
        with part.open("ab") as file:
            pieces = self.download_file(
                file_id, read_offset=file.tell(), provider=provider, timeout=timeout
            )
            written = _write(pieces, file, progress)
        part.replace(path)
        return written


def _write(pieces: Generator[bytes, None, None], file: BinaryIO, progress: Progress | None) -> int:
    written = file.tell() if file.seekable() else 0
    with closing(pieces):
        for piece in pieces:
            file.write(piece)
            written += len(piece)
            if progress:
                progress(written, None)
    return written


def _requests(
    metadata: pb.UploadFileMetadata, chunks: Iterator[bytes], progress: Progress | None
) -> Iterator[pb.UploadFileRequest]:
    yield pb.UploadFileRequest(metadata=metadata)
    total = metadata.size_bytes if metadata.HasField("size_bytes") else None
    sent = 0
    for chunk in chunks:
        yield pb.UploadFileRequest(chunk=chunk)
        sent += len(chunk)
        if progress:
            progress(sent, total)
    if not sent:
        # An empty file is one empty chunk.
        yield pb.UploadFileRequest(chunk=b"")
