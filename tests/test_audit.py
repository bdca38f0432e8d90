"""Lines of the audit log: whole, bounded, and each by itself, whatever happens to the file."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from batchgate_server.audit import PIPE_BYTES, AuditLog, bounded
from batchgate_server.settings import AuditSettings, ConfigurationError

IDS = ("file_id", "batch_id", "input_file_id", "created_file_id", "created_batch_id")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def opened(path: Path | str, **settings: Any) -> AuditLog:
    return AuditLog(AuditSettings(file=str(path), **settings))


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def no_more_than(size: int) -> Iterator[None]:
    """No file may grow beyond this size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_is_cut_off_spoils_no_other(path: Path) -> None:
    log = opened(path)
    log.write("call", number=1)
    with no_more_than(path.stat().st_size + 20), capture_logs() as told:
        log.write("call", number=2)
        assert not log.vouches()
        log.write("call", number=3)
    assert [one.get("number") for one in told] == [None, 2, 3]
    assert log.vouches()
    log.write("call", number=4)
    first, torn, lost, last = path.read_text().splitlines()
    assert (json.loads(first)["number"], json.loads(last)["number"]) == (1, 4)
    with pytest.raises(json.JSONDecodeError):
        json.loads(torn)
    assert (json.loads(lost)["event"], json.loads(lost)["records"]) == ("lost", 2)


def test_several_write_into_one_file(path: Path) -> None:
    """Each opens it for itself, as processes do."""

    def write(writer: int) -> None:
        log = opened(path)
        for number in range(200):
            log.write("call", writer=writer, number=number, ids={"file_id": "x" * 150})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    found = [(one["writer"], one["number"]) for one in records(path)]
    assert sorted(found) == [(writer, number) for writer in range(8) for number in range(200)]


def test_what_was_written_survives_a_crash(path: Path) -> None:
    program = (
        "import os; from batchgate_server.audit import AuditLog\n"
        "from batchgate_server.settings import AuditSettings\n"
        f"AuditLog(AuditSettings(file={str(path)!r})).write('call', number=1); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    assert records(path)[0]["number"] == 1


@pytest.mark.parametrize("meanwhile", ["", "audit.Target._await_room = lambda *_: None\n"])
def test_a_standard_output_that_nobody_reads_stops_nothing(meanwhile: str) -> None:
    """Not even where another process has taken the room that there was."""
    program = (
        "import sys; from batchgate_server import audit; from batchgate_server.audit import AuditLog\n"
        f"{meanwhile}"
        "from batchgate_server.settings import AuditSettings\n"
        "import structlog; structlog.configure(logger_factory=structlog.ReturnLoggerFactory())\n"
        "log = AuditLog(AuditSettings(file='-'))\n"
        "for number in range(2000): log.write('call', number=number)\n"
        "sys.stderr.write(str(log.vouches()))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr
        assert process.wait(30) == 0
        assert process.stderr.read() == b"False"


TEXTS = st.text(st.characters(codec=None, categories=None), max_size=600)


@given(
    # A request names one thing; where that is none, nothing is made.
    ids=st.dictionaries(st.sampled_from(IDS), TEXTS, max_size=1)
    | st.just(dict.fromkeys(IDS[1:], "x" * 512)),
    texts=st.lists(TEXTS, min_size=2, max_size=2),
)
def test_any_texts_make_one_line(
    ids: dict[str, str], texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(b"")
    provider, peer = texts
    others = {"method": "m" * 60, "request_id": '"' * 128, "provider_request_id": '"' * 256}
    opened(path).write("call", ids=ids, provider=provider, peer=peer, **others)
    line = path.read_bytes()
    assert line.endswith(b"\n")
    assert line.isascii()
    assert line[:-1].decode().isprintable()
    assert len(line) <= PIPE_BYTES
    assert json.loads(line)["ids"].keys() == ids.keys()


def test_what_is_plain_stays_as_it_is() -> None:
    plain = {"a": "file-1 (x) \\ \"'", "b": 1.5, "c": None, "d": [True, "x"], "e": {"f": "y" * 512}}
    assert bounded(plain) == plain
    assert bounded("y" * 513) == "y" * 509 + "..."
    assert bounded("a\ud800\u2028b") == "a\\ud800\\u2028b"
    assert bounded(list(range(60))) == [*range(50), "and 10 more"]


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (".", "Is a directory"),
        ("no/such/directory", "No such file or directory"),
        ("pipe", "No such device or address"),
        ("/proc/sys/kernel/ostype", "Permission denied"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_appended_to(tmp_path: Path, file: str, problem: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError) as caught:
        opened(tmp_path / file)
    (found,) = caught.value.problems
    assert found.place == "audit.file"
    assert found.message == f"the file cannot be opened to be appended to: {problem}"


def test_a_file_that_was_moved_away(path: Path) -> None:
    log = opened(path)
    log.write("call", number=1)
    old = path.rename(path.with_suffix(".1"))
    log.write("call", number=2)
    log.reopen()
    log.write("call", number=3)
    assert [one["number"] for one in records(old)] == [1, 2]
    assert [one["number"] for one in records(path)] == [3]
    # The other one is closed.
    assert old not in open_files()


def open_files() -> list[Path]:
    links = list(Path("/proc/self/fd").iterdir())
    return [link.readlink() for link in links if link.is_symlink()]


def test_a_file_that_cannot_be_opened_anew_stays_open(path: Path) -> None:
    log = opened(path)
    old = path.rename(path.with_suffix(".1"))
    path.mkdir()
    with capture_logs() as told:
        log.reopen()
    assert [one["log_level"] for one in told] == ["error"]
    log.write("call", number=1)
    assert records(old)[0]["number"] == 1


def test_a_change_of_files_that_fails_further_on(path: Path) -> None:
    log = opened(path)
    before = len(open_files())
    other = path.with_name("other.jsonl")
    with pytest.raises(ZeroDivisionError), log.reopening(AuditSettings(file=str(other))):
        raise ZeroDivisionError
    # Others may have been closed meanwhile, as the collector comes by.
    assert len(open_files()) <= before
    assert other not in open_files()
    log.write("call", number=1)
    assert records(path)[0]["number"] == 1
    with log.reopening(AuditSettings()):
        pass
    assert not log.enabled
    log.write("call", number=2)
    assert len(records(path)) == 1
