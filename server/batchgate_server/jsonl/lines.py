"""Whole lines out of chunks that end anywhere."""

NEWLINE = b"\n"


class LineSplitter:
    """Gives the whole lines of each chunk as one block, and keeps the begin of the next line.

    A block is copied once: the kept begin and the chunk up to its last newline. No more than one
    line is held: whoever feeds stops when `held` is too much.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0
        """Bytes of the line that is not complete yet."""

    def feed(self, chunk: bytes) -> bytes:
        """The block of lines that `chunk` completes, newlines included; empty if it completes none."""
        end = chunk.rfind(NEWLINE) + 1
        if not end:
            self._hold(chunk)
            return b""
        block = b"".join([*self._pieces, chunk[:end]])
        self._pieces, self.held = [], 0
        self._hold(chunk[end:])
        return block

    def rest(self) -> bytes:
        """The last line, if no newline ends it."""
        rest = b"".join(self._pieces)
        self._pieces, self.held = [], 0
        return rest

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self.held += len(piece)
