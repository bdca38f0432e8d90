"""The audit log: one JSON object a line, in a file of its own or on the standard output.

A line is one write in append mode, so that lines of several processes do not mix, and nothing waits
in a buffer. What cannot be written goes to the ordinary log instead, and the audit log itself says
how many records it lacks as soon as it can be written again.
"""

import os
import select
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import msgspec
import structlog

from batchgate_server.outside import ascii_shown
from batchgate_server.settings import AuditSettings, ConfigurationError, Problem
from batchgate_server.settings.audit import STDOUT

# As long as the ids that are let through to a URL.
LONGEST_TEXT = 512
MOST_ITEMS = 50
# Linux writes so many bytes into a pipe in one piece, and without waiting once it has room.
PIPE_BYTES = 4096
# How long a reader of a pipe may keep the gateway waiting; not a second time before it has read on.
PATIENCE_MS = 50
# O_NONBLOCK: a pipe without a reader must not hold up the start, nor one that is full a call.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK

log = structlog.stdlib.get_logger()


class Target:
    """Where lines go: an open file."""

    def __init__(self, path: str) -> None:
        """Open it, for nobody else to read if it is new.

        Raises:
            ConfigurationError: it cannot be opened.
        """
        try:
            self._fd = _stdout() if path == STDOUT else os.open(path, FLAGS, 0o600)
        except OSError as exc:
            message = f"the file cannot be opened to be appended to: {exc.strerror}"
            raise ConfigurationError([Problem("audit.file", message)]) from None
        self._may_block = not stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._torn = False

    def append(self, line: bytes, *, patience_ms: int) -> None:
        """Write a line.

        Raises:
            OSError: it was not written, or not to its end; the next one begins anew all the same.
        """
        rest = b"\n" + line if self._torn else line
        while rest:
            if self._may_block:
                self._await_room(patience_ms)
            written = os.write(self._fd, rest[:PIPE_BYTES] if self._may_block else rest)
            rest = rest[written:]
            self._torn = bool(rest)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _await_room(self, patience_ms: int) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        if not poll.poll(patience_ms):
            raise TimeoutError("its reader does not keep up")


class AuditLog:
    """Takes records; does nothing where no file is configured."""

    def __init__(self, settings: AuditSettings) -> None:
        """Open the file.

        Raises:
            ConfigurationError: it cannot be opened.
        """
        self._settings = settings
        self._target = Target(settings.file) if settings.file else None
        self._lost = 0

    @property
    def enabled(self) -> bool:
        """Whether records are kept."""
        return self._target is not None

    @property
    def missing(self) -> int:
        """How many records it lacks by now."""
        return self._lost

    def vouches(self) -> bool:
        """Whether what is about to happen will be recorded, as far as one can know, or need not be.

        Looks whether a log that could not be written can be by now.
        """
        return not (self._settings.required and self._lost) or self._has_caught_up()

    def write(self, event: str, **fields: object) -> None:
        """Write a record; texts are made printable and cut off, mappings and sequences bounded."""
        if self._target is None:
            return
        record = {name: bounded(value) for name, value in fields.items()}
        if not (self._has_caught_up() and self._append(event, record)):
            self._lost += 1
            # Not lost altogether.
            log.error("not in the audit log", record=event, **record)

    @contextmanager
    def reopening(self, settings: AuditSettings) -> Iterator[None]:
        """Go on in the file of these settings behind this context, unless that fails.

        It is opened anew even if it is the same: it may have been moved away.

        Raises:
            ConfigurationError: on entry, it cannot be opened; all stays as it was.
        """
        target = Target(settings.file) if settings.file else None
        try:
            yield
        except BaseException:
            if target:
                target.close()
            raise
        self.close()
        self._target, self._settings = target, settings
        if target is None:
            self._lost = 0

    def reopen(self) -> None:
        """Go on in the same file, opened anew; in the open one if that cannot be."""
        try:
            with self.reopening(self._settings):
                pass
        except ConfigurationError as exc:
            problem = str(exc)
        else:
            return
        log.error("the audit log cannot be opened anew", problem=problem)

    def close(self) -> None:
        """Take no more records."""
        if self._target:
            self._target.close()
            self._target = None

    def _has_caught_up(self) -> bool:
        if self._lost:
            if not self._append("lost", {"records": self._lost}):
                return False
            log.info("the audit log is written again", records_lost=self._lost)
            self._lost = 0
        return True

    def _append(self, event: str, record: dict[str, object]) -> bool:
        if self._target is None:
            return True
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = msgspec.json.encode({"time": now, "event": event, **record}) + b"\n"
        problem = ""
        try:
            self._target.append(line, patience_ms=0 if self._lost else PATIENCE_MS)
        except OSError as exc:
            problem = exc.strerror or str(exc)
        if problem and not self._lost:
            log.error("the audit log cannot be written", problem=problem)
        return not problem


def _stdout() -> int:
    """The standard output, which does not wait if it is a pipe, however many write there."""
    if stat.S_ISFIFO(os.fstat(1).st_mode):
        # Another user's pipe cannot be opened anew.
        with suppress(OSError):
            return os.open("/proc/self/fd/1", FLAGS & ~os.O_CREAT)
    return os.dup(1)


def bounded(value: object) -> object:
    """The value as it may stand in a record: printable ASCII of at most `LONGEST_TEXT` characters."""
    match value:
        case str():
            return ascii_shown(value, longest=LONGEST_TEXT)
        case dict():
            return {
                ascii_shown(str(key), longest=LONGEST_TEXT): bounded(one)
                for key, one in value.items()
            }
        case list() | tuple():
            items = [bounded(one) for one in value[:MOST_ITEMS]]
            more = len(value) - MOST_ITEMS
            return [*items, f"and {more} more"] if more > 0 else items
        case _:
            return value
