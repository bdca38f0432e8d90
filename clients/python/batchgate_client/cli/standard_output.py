"""The standard output, which may be full, closed, or unable to say all characters."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from batchgate_client.cli.failures import FAILED, failure

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STDOUT = 1
# What an encoding lacks is written as JSON writes it: JSON stays JSON, and people can read it too.
ESCAPING = "batchgate-json"


class OutputLostError(Exception):
    """What was to be answered cannot be written: the disk is full, or the reader has gone."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.is_wanted = error.errno != errno.EPIPE
        """Whether somebody waits for it: who reads a few lines and goes knows what they do."""


class _Guarded(io.FileIO):
    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # What is still held back must not fail again at the very end, where nobody catches it.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, STDOUT)
            os.close(nowhere)
            raise OutputLostError(error) from None


@contextmanager
def guarded() -> Iterator[None]:
    """Around the program: an answer that cannot be written ends it with a word and an exit code."""
    codecs.register_error(ESCAPING, _escaped)
    if sys.stdout is None:  # It was closed before the program began.
        _occupy()
    encoding = sys.stdout.encoding if sys.stdout else "utf-8"
    raw = _Guarded(STDOUT, "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors=ESCAPING,
        line_buffering=raw.isatty(),
    )
    code: object = 0
    try:
        try:
            yield
        except SystemExit as end:
            code = end.code
            raise
        finally:
            sys.stdout.flush()
    except OutputLostError as lost:
        if lost.is_wanted:
            failure(f"cannot write to the standard output: {lost}", code=FAILED)
        raise SystemExit(code or FAILED) from None


@contextmanager
def names_if_lost(what: str, id_: str) -> Iterator[None]:
    """Around an answer that tells of something new: its id is told on the other way as well."""
    try:
        yield
        sys.stdout.flush()
    except OutputLostError:
        typer.echo(f"batchgate: {what} {id_} was created", err=True)
        raise


def _occupy() -> None:
    # So that no other file gets the number; nothing can be written to it.
    nowhere = os.open(os.devnull, os.O_RDONLY)
    if nowhere != STDOUT:
        os.dup2(nowhere, STDOUT)
        os.close(nowhere)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(f"\\u{one:04x}" for one in codes), error.end
