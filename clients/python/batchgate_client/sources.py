"""What an upload reads from: its size, name and digest, where they are known beforehand."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Known:
    """What is known of a source before it is read."""

    filename: str = ""
    size_bytes: int | None = None
    sha256: str = ""


def known_of(source: object) -> Known:
    """What `source` tells of itself.

    Raises:
        OSError: There is no such file, or it is a directory.
    """
    match source:
        case str() | Path():
            path = Path(source)
            if path.is_dir():
                raise IsADirectoryError(21, os.strerror(21), str(path))
            found = path.stat()
            # Of a pipe the size says nothing.
            regular = stat.S_ISREG(found.st_mode)
            return Known(
                filename=sendable(path.name), size_bytes=found.st_size if regular else None
            )
        case bytes() | bytearray() | memoryview():
            digest = hashlib.sha256(source).hexdigest()
            return Known(size_bytes=memoryview(source).nbytes, sha256=digest)
    name = getattr(source, "name", "")
    return Known(filename=sendable(Path(name).name) if isinstance(name, str) else "")


def sendable(name: str) -> str:
    """A file's name as text: what Python could not decode is UTF-8 after all, or a replacement."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def slices(content: bytes | bytearray | memoryview, size: int) -> Iterator[bytes]:
    """The content in pieces of at most `size` bytes."""
    view = memoryview(content).cast("B")
    for start in range(0, len(view), size):
        yield bytes(view[start : start + size])


class Regrouped:
    """Joins and splits what a caller's own iterator gives, into pieces of one size."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = bytearray()

    def add(self, piece: bytes) -> Iterator[bytes]:
        """The pieces that are complete now."""
        self._held += piece
        while len(self._held) >= self._size:
            yield bytes(self._held[: self._size])
            del self._held[: self._size]

    def rest(self) -> Iterator[bytes]:
        """What is left at the end."""
        if self._held:
            yield bytes(self._held)
            self._held.clear()
