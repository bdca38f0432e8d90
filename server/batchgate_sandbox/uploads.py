"""A multipart upload, straight from the connection to the disk.

The parser works on what has arrived and keeps nothing, so memory stays flat whatever the size.
Only a body with its closing boundary is an upload; anything else leaves no file behind.
"""

import os
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from batchgate_sandbox.errors import Reason, RefusedError, invalid

FIELD_LIMIT = 64 * 1024


@dataclass(slots=True)
class Part:
    """What a part's own headers said, and how many bytes it had."""

    name: str
    filename: str | None
    content_type: str
    header_names: list[str]
    size: int = 0

    def seen(self) -> dict[str, Any]:
        """The part as the record of requests shows it."""
        return {
            "name": self.name,
            "filename": self.filename,
            "content_type": self.content_type,
            "header_names": self.header_names,
            "size": self.size,
        }


@dataclass(slots=True)
class Upload:
    """A multipart body on its way in. Leaving the context removes a file nobody took over."""

    directory: Path
    # Bytes the file may have, asked again with every piece: the purpose may come later.
    limit: Callable[["Upload"], int]
    fields: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    file: Part | None = None
    path: Path | None = None
    finished: bool = False
    _descriptor: int | None = None
    _headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    _header_name: bytes = b""
    _header_value: bytes = b""
    _field: bytearray = field(default_factory=bytearray)

    def __enter__(self) -> Self:
        """Nothing is opened before the file part begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close and remove the file, unless it was renamed."""
        self._close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    async def read(self, content_type: str, chunks: AsyncIterator[bytes]) -> None:
        """Take the whole body in.

        Raises:
            RefusedError: The body is no complete multipart form, or the file is too large.
        """
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise invalid("The request must be multipart/form-data with a boundary.")
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value_comes,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_finished,
                "on_part_data": self._data,
                "on_part_end": self._part_ends,
                "on_end": self._body_ends,
            },
        )
        try:
            async for chunk in chunks:
                parser.write(chunk)
        except MultipartParseError as exc:
            raise invalid("The multipart body cannot be parsed.") from exc
        if not self.finished:
            raise invalid("The multipart body ends before its closing boundary.")

    # ------------------------------------------------------------------ the parser's events

    def _part_begins(self) -> None:
        self._headers = []
        self._field = bytearray()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_comes(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        self._headers.append((self._header_name.lower(), self._header_value))
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        headers = dict(self._headers)
        _, options = parse_options_header(headers.get(b"content-disposition"))
        # parse_options_header answers latin-1 bytes of what were UTF-8 bytes: the same bytes.
        filename = options.get(b"filename")
        part = Part(
            name=options.get(b"name", b"").decode("utf-8", "replace"),
            filename=None if filename is None else filename.decode("utf-8", "replace"),
            content_type=headers.get(b"content-type", b"").decode("latin-1"),
            header_names=[name.decode("latin-1") for name, _ in self._headers],
        )
        self.parts.append(part)
        if part.name == "file" and part.filename is not None and self.file is None:
            self.file = part
            self.path = self.directory / f".incoming-{secrets.token_hex(8)}"
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size += end - start
        if part is not self.file:
            if part.size > FIELD_LIMIT:
                raise invalid(f"The field {part.name!r} is too long.", param=part.name)
            self._field += data[start:end]
            return
        limit = self.limit(self)
        if part.size > limit:
            raise RefusedError(
                Reason.TOO_LARGE,
                f"The file is larger than the {limit} bytes allowed.",
                param="file",
            )
        piece = memoryview(data)[start:end]
        while piece and self._descriptor is not None:
            piece = piece[os.write(self._descriptor, piece) :]

    def _part_ends(self) -> None:
        part = self.parts[-1]
        if part is self.file:
            self._close()
        else:
            self.fields[part.name] = self._field.decode("utf-8", "replace")

    def _body_ends(self) -> None:
        self.finished = True

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
