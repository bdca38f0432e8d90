"""Lines that nobody waits for: in order, whole, and counted where they are missing."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from batchgate_server import stderr
from batchgate_server.stderr import PIECE_BYTES, LineWriter
from tests.waiting import eventually


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is full: its reader and its writer."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"." * PIECE_BYTES)
    os.set_blocking(writer, True)
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def reading(reader: int) -> Callable[[], str]:
    """What came so far besides what the pipe was filled with."""
    content = b""

    def read() -> str:
        nonlocal content
        with suppress(BlockingIOError):
            content += os.read(reader, 2**20)
        return content.decode().lstrip(".")

    return read


async def test_what_was_too_much_is_told_where_it_is_missing(pipe: tuple[int, int]) -> None:
    reader, fd = pipe
    writer = LineWriter(fd, most_characters=3 * len("line 1\n"))
    read = reading(reader)
    with writer.running():
        writer.write("line 0\n")
        # It is what the thread tries to write then; three more may wait.
        await eventually(lambda: not writer._waiting)
        for number in range(1, 9):
            writer.write(f"line {number}\n")
        assert writer.dropped == 5
        await eventually(lambda: "lines could" in read())
        writer.write("last\n")
    lines = [f"line {number}" for number in range(4)]
    assert read().splitlines() == [*lines, "5 log lines could not be written", "last"]


async def test_its_end_does_not_wait_for_a_reader(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stderr, "LAST_SECONDS", 0.05)
    writer = LineWriter(pipe[1])
    with writer.running():
        writer.write("one\n")
    # What comes after it goes nowhere.
    writer.write("two\n")
    assert writer.dropped == 1


async def test_a_line_that_is_cut_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writer = LineWriter(fd)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with writer.running():
        # As on a disk that is full.
        resource.setrlimit(resource.RLIMIT_FSIZE, (4, hard))
        try:
            writer.write("one line\n")
            await eventually(lambda: writer.dropped)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        writer.write("another\n")
    os.close(fd)
    told = "1 log lines could not be written"
    assert path.read_text().splitlines() == ["one ", told, "another"]


async def test_others_keep_a_pipe_that_waits(pipe: tuple[int, int]) -> None:
    """Who shares it with us, as a shell does, finds it as it was."""
    other = os.dup(pipe[1])
    with LineWriter(pipe[1]).running():
        assert os.get_blocking(other)
        assert not os.get_blocking(pipe[1])
    os.close(other)
