"""The standard error of a process that serves: lines that nobody waits for, and that fail nobody.

A thread writes them. Where the stream takes no more (its disk is full, its reader is gone or reads
nothing) lines are dropped and counted, and as soon as it takes some again it gets one that tells how
many are missing there. All that others write there without us, such as gRPC's own core, is dropped too
where it would have to wait: a pipe that nobody reads must not hold up a process.
"""

import os
import select
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

STDERR_FD = 2
# Of lines that wait to be written: a second's worth of a busy gateway, and little memory.
MOST_CHARACTERS = 4 * 2**20
# Lines that are written in one piece, since Linux lets such pieces of several processes not mix.
PIECE_BYTES = 4096
# For so long lines gather before they are written: to wake a thread for each costs more than the line.
GATHER_SECONDS = 0.01
# How often a stream that takes nothing is tried, where nothing new is to be written.
RETRY_SECONDS = 1.0
# How long the end waits for what is still to be written.
LAST_SECONDS = 1.0


def _notice(count: int) -> str:
    return f"{count} log lines could not be written\n"


class LineWriter:
    """Writes lines in their order while it runs; neither waits nor raises."""

    def __init__(self, fd: int = STDERR_FD, *, most_characters: int = MOST_CHARACTERS) -> None:
        self._fd = fd
        self._most_characters = most_characters
        # Reentrant: the collector may run anywhere, and what it finds may be logged.
        self._lock = threading.RLock()
        # A number stands for as many lines that are missing there.
        self._waiting: deque[str | int] = deque()
        self._characters = 0
        self._missing_at_end = 0
        self._wake = threading.Event()
        self._is_idle = False
        self._is_ending = self._is_abandoned = False
        # Of the thread alone: lines that are missing before the next one, whether the last one is torn.
        self._missing = 0
        self._is_torn = False
        self.is_running = False
        """Whether lines are taken."""
        self.dropped = 0
        """Lines that were not written."""
        self.notice: Callable[[int], str] = _notice
        """The line that tells how many are missing."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Take lines inside of this context; its end waits for the last ones, but not for long."""
        if self._fd == STDERR_FD and not _is_open():
            # Whatever is opened next would get the number, and the log.
            self._fd = os.open(os.devnull, os.O_WRONLY)
        _write_without_waiting(self._fd)
        self._is_ending = self._is_abandoned = False
        # One that waits for a reader must not keep the process.
        thread = threading.Thread(target=self._run, name="log", daemon=True)
        thread.start()
        self.is_running = True
        try:
            yield
        finally:
            self.is_running = False
            self._is_ending = True
            self._wake.set()
            thread.join(LAST_SECONDS)
            self._is_abandoned = True

    def write(self, text: str) -> None:
        """Take a line with its end, or several."""
        with self._lock:
            if not self.is_running or self._characters + len(text) > self._most_characters:
                self._missing_at_end += 1
                self.dropped += 1
                return
            if self._missing_at_end:
                self._waiting.append(self._missing_at_end)
                self._missing_at_end = 0
            self._waiting.append(text)
            self._characters += len(text)
        if self._is_idle:
            self._wake.set()

    def flush(self) -> None:
        """Nothing: whoever writes does not wait."""

    def drop(self) -> None:
        """Count a line that could not be made."""
        with self._lock:
            self._missing_at_end += 1
            self.dropped += 1

    def _run(self) -> None:
        while True:
            self._is_idle = True
            if not (self._waiting or self._is_ending):
                missing = self._missing or self._missing_at_end
                self._wake.wait(RETRY_SECONDS if missing else None)
            self._wake.clear()
            self._is_idle = False
            is_last = self._is_ending
            if not is_last:
                time.sleep(GATHER_SECONDS)
            while piece := self._next():
                self._put(piece)
            self._tell_missing()
            if is_last:
                return

    def _next(self) -> list[bytes]:
        """Lines that are written in one piece; those that are missing come before it."""
        piece: list[bytes] = []
        size = 0
        with self._lock:
            while self._waiting:
                first = self._waiting[0]
                if isinstance(first, int):
                    if piece:
                        break
                    self._missing += first
                    self._waiting.popleft()
                    continue
                line = first.encode(errors="backslashreplace")
                if piece and size + len(line) > PIECE_BYTES:
                    break
                self._waiting.popleft()
                self._characters -= len(first)
                piece.append(line)
                size += len(line)
            if not piece:
                self._missing += self._missing_at_end
                self._missing_at_end = 0
        return piece

    def _put(self, piece: list[bytes]) -> None:
        written = self._written(piece) if self._tell_missing() else 0
        if lost := len(piece) - written:
            self._missing += lost
            with self._lock:
                self.dropped += lost

    def _tell_missing(self) -> bool:
        """Write how many lines are missing, if any are; whether that could be written."""
        if self._missing and self._written([self.notice(self._missing).encode()]):
            self._missing = 0
        return not self._missing

    def _written(self, lines: list[bytes]) -> int:
        """Write lines; how many of them are there to their end."""
        torn = b"\n" if self._is_torn else b""
        content = memoryview(torn + b"".join(lines))
        done = 0
        with suppress(OSError):
            while done < len(content) and not self._is_abandoned:
                try:
                    done += os.write(self._fd, content[done:])
                except BlockingIOError:
                    _await_room(self._fd)
        if done:
            self._is_torn = done < len(content) and content[done - 1] != ord("\n")
        left = done - len(torn)
        count = 0
        for line in lines:
            left -= len(line)
            if left < 0:
                break
            count += 1
        return count


def _is_open() -> bool:
    # Python looks at its start, before the number could be another file's.
    return sys.__stderr__ is not None


def _await_room(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(100)


def _write_without_waiting(fd: int) -> None:
    """Let a write fail where it would wait, for this process alone: others may share the file.

    What cannot be opened anew, such as a socket or what is another user's, stays as it is.
    """
    mode = os.fstat(fd).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        return
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with suppress(OSError):
        own = os.open(f"/proc/self/fd/{fd}", flags)
        os.dup2(own, fd)
        os.close(own)


STDERR = LineWriter()
"""Of this process; not in use before it serves."""
