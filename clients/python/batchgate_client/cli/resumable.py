"""A file of results that outlives its writer: a record beside it says what of it is whole.

The record, `FILE.resume`, is replaced in one piece whenever enough new rows are in the file. Going
on means to cut the file off at the recorded size and to ask for what follows: no row is there twice
and none is missing, wherever the writer was stopped. Whole files have no record.
"""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import msgspec

from batchgate_client.cli.failures import FAILED, UNUSABLE, failure, file_failure
from batchgate_client.cli.result_rows import Tally

SUFFIX = ".resume"
# New bytes after which the record is renewed; it costs a wait for the disk.
CHECKPOINT_BYTES = 4 * 1024 * 1024


class Creation(msgspec.Struct, omit_defaults=True):
    """A batch that is to be, or is, of a file: under one request id, however often it is tried."""

    input_sha256: str
    request_id: str
    file_id: str = ""
    provider: str = ""
    """Where it is: at another one the same request_id would make another batch."""


class Record(msgspec.Struct, omit_defaults=True):
    """What is known of a batch whose results are not whole yet."""

    batch_id: str = ""
    filter: str = "RESULT_FILTER_ALL"
    resume_token: str = ""
    size_bytes: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    creation: Creation | None = None
    """Of `batchgate run`, whose batch may not be there yet."""


def record_path(path: Path) -> Path:
    """Where the record of a file is."""
    return path.with_name(path.name + SUFFIX)


def read_record(path: Path) -> Record | None:
    """The record of a file of results, if there is one.

    Raises:
        typer.Exit: it cannot be read.
    """
    place = record_path(path)
    try:
        return msgspec.json.decode(place.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise file_failure(error) from None
    except msgspec.DecodeError:
        raise failure(f"{place}: is no record of batchgate's", code=UNUSABLE) from None


class ResultsFile:
    """The file while it is written; its writer alone may write it."""

    def __init__(self, path: Path, file: FileIO, *, regular: bool) -> None:
        self.path = path
        self.record = Record()
        self._file = file
        self._regular = regular
        self._whole = 0
        self._mark = ("", 0, Tally())

    @property
    def can_resume(self) -> bool:
        """Whether it can be gone on with: a terminal or a pipe cannot be cut off."""
        return self._regular

    def begin(self, record: Record) -> None:
        """Keep the record, and cut off what is not in it."""
        self.record, self._whole = record, record.size_bytes
        self._mark = (record.resume_token, record.size_bytes, record.tally)
        self.keep()
        self._cut_off()

    def keep(self) -> None:
        """Replace the record on the disk by this one, in one piece."""
        if not self._regular:
            return
        place = record_path(self.path)
        new = place.with_name(place.name + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(self.record) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(place)

    def write(self, rows: bytes) -> None:
        """Add whole rows; where that fails, those that found room stay, and none in part."""
        written = 0
        try:
            while written < len(rows):
                written += self._file.write(rows[written:])
        except OSError as error:
            self._whole += rows.rfind(b"\n", 0, written) + 1
            self._cut_off()
            error.filename = str(self.path)
            raise
        self._whole += written

    def mark(self, resume_token: str, tally: Tally) -> None:
        """What was written so far is followed by what `resume_token` gives."""
        self._mark = (resume_token, self._whole, tally.copy())
        if self._whole - self.record.size_bytes >= CHECKPOINT_BYTES:
            self.settle()

    def settle(self) -> None:
        """Keep the last mark in the record."""
        token, size, tally = self._mark
        if not self._regular or size == self.record.size_bytes:
            return
        os.fsync(self._file.fileno())
        self.record.resume_token, self.record.size_bytes, self.record.tally = token, size, tally
        self.keep()

    def finish(self) -> None:
        """All rows are there."""
        if self._regular:
            os.fsync(self._file.fileno())
            record_path(self.path).unlink(missing_ok=True)

    def abandon(self) -> None:
        """Keep what goes on from here; nothing at all where there are neither rows nor a creation."""
        if self._whole or self.record.creation:
            self.settle()
        else:
            self.discard()

    def discard(self) -> None:
        """Leave neither file nor record: there is nothing to keep."""
        if self._regular:
            self.path.unlink(missing_ok=True)
            record_path(self.path).unlink(missing_ok=True)

    def _cut_off(self) -> None:
        if self._regular:
            self._file.truncate(self._whole)
            self._file.seek(self._whole)


@contextmanager
def opened(path: Path) -> Iterator[ResultsFile]:
    """The file, opened for this process alone; its content is not touched yet.

    Raises:
        typer.Exit: it cannot be opened, or another process writes it; nothing is changed then.
    """
    try:
        # Without a buffer: what was written is in the file, and a full disk is told at once.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise file_failure(error) from None
    with FileIO(descriptor, "wb") as file:
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        if regular:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise failure(f"{path}: another process is writing it", code=FAILED) from None
            except OSError:
                pass  # Some network file systems have no locks; there one has to see for oneself.
        yield ResultsFile(path, file, regular=regular)


def begun(file: ResultsFile, wanted: Record, *, resume: bool, force: bool) -> None:
    """Begin with the wanted record; or, with `resume`, with that of an earlier try, if there is one.

    Raises:
        typer.Exit: something else is there, which stays as it is.
    """
    known = None if force else earlier(file)
    if known is None:
        file.begin(wanted)
        return
    if not resume:
        message = f"{file.path}: is there in part; --resume goes on with it, --force begins it anew"
        raise failure(message, code=UNUSABLE)
    if (known.batch_id, known.filter) != (wanted.batch_id, wanted.filter):
        whose = known.batch_id or "a batch that is not created yet"
        message = f"{file.path}: is of {whose}, or has other rows; --force begins it anew"
        raise failure(message, code=UNUSABLE)
    file.begin(known)


def earlier(file: ResultsFile) -> Record | None:
    """The record of an earlier try that can be gone on with, if there is one.

    Raises:
        typer.Exit: something else is there.
    """
    if not file.can_resume:
        return None
    path = file.path
    known, size = read_record(path), path.stat().st_size
    if known is None and size:
        message = f"{path}: is there already, and whole or not ours; --force replaces it"
        raise failure(message, code=UNUSABLE)
    if known is not None and size < known.size_bytes:
        message = f"{path}: is shorter than {record_path(path)} says; --force begins it anew"
        raise failure(message, code=UNUSABLE)
    return known


def paid_for(file: ResultsFile, input_sha256: str) -> Record | None:
    """The record of a creation from this input, which nobody wants to pay for twice.

    Its rows are read anew where the file has fewer than the record says.
    """
    try:
        known = msgspec.json.decode(record_path(file.path).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None
    if not file.can_resume or not known.creation or known.creation.input_sha256 != input_sha256:
        return None
    if file.path.stat().st_size < known.size_bytes:
        known.resume_token, known.size_bytes, known.tally = "", 0, Tally()
    return known


def found_for(batch_id: str) -> Path:
    """The one file in this directory that broke off while it was written for a batch.

    Raises:
        typer.Exit: there is none, or several.
    """
    records = sorted(Path().glob(f"*{SUFFIX}"))
    files = [path.with_name(path.name.removesuffix(SUFFIX)) for path in records]
    found = [path for path in files if (known := read_record(path)) and known.batch_id == batch_id]
    if len(found) == 1:
        return found[0]
    what = f"several files: {', '.join(map(str, found))}" if found else "no file"
    message = f"{what} of {batch_id} in this directory to go on with; name it with --out"
    raise failure(message, code=UNUSABLE)
