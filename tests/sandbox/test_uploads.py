import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from batchgate_sandbox.errors import RefusedError
from batchgate_sandbox.server import sandbox_in_thread
from batchgate_sandbox.uploads import FIELD_LIMIT, Upload
from tests.sandbox import raw
from tests.sandbox.door import Door, eventually

FORM = f"multipart/form-data; boundary={raw.BOUNDARY}"
CONTENT = f"ä\r\n--{raw.BOUNDARY[:-1]}\r\n--\r\n{{}}\n".encode()
BODY = raw.FILE_HEAD + CONTENT + raw.FILE_TAIL


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def names(directory: Path) -> list[str]:
    return [one.name for one in directory.iterdir()]


def upload_to(directory: Path, limit: int = 1 << 20) -> Upload:
    return Upload(directory, lambda _: limit)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
async def test_chunk_borders_may_be_anywhere(tmp_path: Path, size: int) -> None:
    with upload_to(tmp_path) as upload:
        await upload.read(FORM, pieces(BODY, size))
        assert upload.path is not None
        assert upload.path.read_bytes() == CONTENT
        assert upload.fields == {"purpose": "batch"}
        assert [part.size for part in upload.parts] == [5, len(CONTENT)]
    assert names(tmp_path) == []


async def test_every_broken_off_body_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    # Up to the last hyphen of the closing boundary: what follows it is of no account.
    for end in range(len(BODY) - len(b"\r\n")):
        with upload_to(tmp_path) as upload:
            with pytest.raises(RefusedError):
                await upload.read(FORM, pieces(BODY[:end], 50))
            assert not upload.finished
        assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", BODY),
        ("", BODY),
        (FORM, b"something else"),
        (FORM, BODY.replace(b"Content-Type:", b"Content Type:")),
    ],
)
async def test_what_is_no_form_is_refused(tmp_path: Path, content_type: str, body: bytes) -> None:
    with upload_to(tmp_path) as upload, pytest.raises(RefusedError):
        await upload.read(content_type, pieces(body, 50))
    assert names(tmp_path) == []


async def test_a_field_has_its_limit(tmp_path: Path) -> None:
    long = raw.FILE_HEAD.replace(b"batch", b"x" * (FIELD_LIMIT + 1))
    with upload_to(tmp_path) as upload, pytest.raises(RefusedError, match="too long"):
        await upload.read(FORM, pieces(long, 1000))


async def test_only_the_first_file_counts(tmp_path: Path) -> None:
    second = BODY.removesuffix(raw.FILE_TAIL) + b"\r\n" + BODY.replace(CONTENT, b"other")
    with upload_to(tmp_path) as upload:
        await upload.read(FORM, pieces(second, 64))
        assert upload.path is not None
        assert upload.path.read_bytes() == CONTENT


# ---------------------------------------------------------------------- over the wire


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def own(directory: Path, openai: Door) -> Iterator[Door]:
    """A door to a sandbox whose directory the test can see."""
    with sandbox_in_thread(step=0.02, directory=directory) as server:
        yield Door(server.url, openai.key, "openai", openai.client)


@pytest.mark.parametrize("end", [40, 1000, 500_000])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_caller_that_goes_away_leaves_nothing(
    own: Door, directory: Path, end: int, chunked: bool
) -> None:
    body = (raw.FILE_HEAD + b"x" * 1_000_000)[:end]
    with raw.connection(own.url) as opened:
        opened.sendall(raw.upload_head(own.key, None if chunked else 2_000_000))
        opened.sendall(raw.chunk(body) if chunked else body)
        eventually(lambda: own.requests()[0]["received_bytes"] == end)
        assert bool(names(directory)) is (end > 40)
    eventually(lambda: bool(own.requests()[0]["aborted"]))
    eventually(lambda: not names(directory))
    assert own.get("/files")["data"] == []


def test_a_body_that_ends_well_without_its_closing_boundary_leaves_nothing(
    own: Door, directory: Path
) -> None:
    body = raw.FILE_HEAD + b"x" * 1000
    with raw.connection(own.url) as opened:
        opened.sendall(raw.upload_head(own.key, None) + raw.chunk(body) + b"0\r\n\r\n")
        assert raw.answer(opened)[0] == 400
    assert names(directory) == []
    assert own.get("/files")["data"] == []


def test_files_leave_the_disk_when_deleted_or_expired(own: Door, directory: Path) -> None:
    first, second = own.file(b"x"), own.file(b"y")
    assert set(names(directory)) == {first, second}
    own.call("DELETE", f"/files/{first}")
    assert names(directory) == [second]
    own.settings(advance_seconds=31 * 86400)
    own.get("/files")
    assert names(directory) == []


def test_results_that_nobody_keeps_leave_the_disk(own: Door, directory: Path) -> None:
    file_id = own.file(b"{}\n")
    assert own.wait(own.create(file_id).json()["id"])["status"] == "failed"
    assert names(directory) == [file_id]


@contextmanager
def program() -> Iterator[tuple[str, psutil.Process]]:
    """The sandbox in a process of its own, whose memory can be looked at."""
    code = (
        "from batchgate_sandbox.__main__ import run;"
        "run(listen='127.0.0.1:0', speed='fast', directory=None)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = child.stdout.readline()
        try:
            yield told.split("listening on ")[1].split()[0], psutil.Process(child.pid)
        finally:
            child.terminate()
            child.communicate(timeout=10)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_large_file_takes_no_memory(openai: Door, chunked: bool) -> None:
    size, piece = 60 << 20, b"0123456789abcdef" * (1 << 16)
    with program() as (url, process):
        door = Door(url, openai.key, "openai", openai.client)
        door.upload(b"x")
        before = process.memory_info().rss
        length = len(raw.FILE_HEAD) + size + len(raw.FILE_TAIL)
        with raw.connection(url) as opened:
            opened.sendall(raw.upload_head(openai.key, None if chunked else length))
            for one in (raw.FILE_HEAD, *[piece] * (size // len(piece)), raw.FILE_TAIL):
                opened.sendall(raw.chunk(one) if chunked else one)
            opened.sendall(b"0\r\n\r\n" if chunked else b"")
            status, body = raw.answer(opened)
        assert status == 200, body
        newest = door.get("/files")["data"][0]
        assert newest["bytes"] == size
        with door.client.stream(
            "GET",
            f"{url}/v1/files/{newest['id']}/content",
            headers={"authorization": f"Bearer {door.key}"},
        ) as answer:
            assert sum(map(len, answer.iter_raw())) == size
        assert process.memory_info().rss - before < 16 << 20
