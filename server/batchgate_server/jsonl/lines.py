"""Whole lines out of chunks that end anywhere."""

NEWLINE = b"\n"
_RETURN, _OPEN, _CLOSE = b"\r{}"


def are_objects(block: bytes, count: int) -> bool:
    """Whether a block of `count` JSON objects has each of them on a line of its own.

    So it is if there are as many newlines, and each line begins with "{" and ends with "}": an
    object that goes on after a newline cannot, since after a "}" inside of it no "{" can follow.
    """
    find, size = block.find, len(block)
    place = -1
    for _ in range(count):
        begin = place + 1
        if begin == size or block[begin] != _OPEN:
            return False
        place = find(NEWLINE, begin)
        if place < 0:
            return False
        last = block[place - 1]
        if last != _CLOSE and (last != _RETURN or block[place - 2] != _CLOSE):
            return False
    return place == size - 1


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
        block = b"".join([*self._pieces, memoryview(chunk)[:end]])
        self._pieces, self.held = [], 0
        self._hold(chunk[end:])
        return block

    def begin(self, size: int) -> bytes:
        """The first `size` bytes of the line that is not complete yet."""
        return b"".join(piece[:size] for piece in self._pieces[:size])[:size]

    def rest(self) -> bytes:
        """The last line, if no newline ends it."""
        rest = b"".join(self._pieces)
        self._pieces, self.held = [], 0
        return rest

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self.held += len(piece)
