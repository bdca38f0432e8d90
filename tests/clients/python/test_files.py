"""Files by the Python client: what is sent from which source, and what comes back."""

import asyncio
import hashlib
import io
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from batchgate_client import Client
from batchgate_client._sync import calls
from batchgate_client.errors import (
    ChecksumMismatch,
    InvalidField,
    InvalidJsonl,
    ProviderCredentialRejected,
    ProviderNotFound,
    ProviderUnknown,
)
from tests.conftest import Account, Gateway
from tests.waiting import eventually, uploads_over

LINE = {"method": "POST", "url": "/v1/chat/completions", "body": {"model": "gpt-4o-mini"}}
CONTENT = b"".join(
    json.dumps({"custom_id": f"row-{n}", **LINE}).encode() + b"\n" for n in range(6000)
)
CHUNK = 100_000


def pieces() -> Iterator[bytes]:
    """Neither of the size of a chunk nor of a line."""
    for start in range(0, len(CONTENT), 70_001):
        yield CONTENT[start : start + 70_001]


async def async_pieces() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


class AsyncFile:
    """As files of async libraries are."""

    def __init__(self) -> None:
        self._file = io.BytesIO(CONTENT)

    async def read(self, size: int) -> bytes:
        return self._file.read(size)


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda _: CONTENT,
    "memory": lambda _: memoryview(CONTENT),
    "file": lambda _: io.BytesIO(CONTENT),
    "iterator": lambda _: pieces(),
    "list": lambda _: [CONTENT],
    "async iterator": lambda _: async_pieces(),
    "async file": lambda _: AsyncFile(),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_a_file_is_uploaded_from_any_source(
    client: Any, kind: str, account: Account, tmp_path: Path, source: str
) -> None:
    if kind == "sync" and source.startswith("async"):
        pytest.skip("for the async client")
    path = tmp_path / "requests.jsonl"
    path.write_bytes(CONTENT)
    told: list[tuple[int, int | None]] = []
    response = await client.upload_file(
        SOURCES[source](path),
        filename="named.jsonl",
        chunk_bytes=CHUNK,
        progress=lambda sent, total: told.append((sent, total)),
    )
    assert response.report.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert (response.file.filename, response.report.line_count) == ("named.jsonl", 6000)
    assert await account.file_ids() == [response.file.id]
    knows = source in {"path", "text", "bytes", "memory"}
    whole = len(CONTENT)
    sent = [*range(CHUNK, whole, CHUNK), whole]
    assert told == [(each, whole if knows else None) for each in sent]


async def test_names_and_options_go_along(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"")
    file = (await client.upload_file(path, purpose="user_data", expires_after=7200)).file
    assert (file.filename, file.purpose, file.size_bytes) == ("notes.txt", "user_data", 0)
    assert file.expires_at.seconds - file.created_at.seconds == 7200
    with path.open("rb") as opened:
        assert (await client.upload_file(opened, purpose="user_data")).file.filename == "notes.txt"
    validated = await client.upload_file(b"{", validate_only=True, filename="a.jsonl")
    assert [issue.code for issue in validated.report.issues] == ["invalid_json_line"]


async def test_faulty_lines_come_one_by_one(client: Any, account: Account) -> None:
    """Also where the gateway has answered long before the end."""
    with pytest.raises(InvalidJsonl) as caught:
        await client.upload_file(b'{"custom_id": "a"}\n' * 200_000)
    assert caught.value.reason == "INVALID_JSONL"
    assert len(caught.value.violations) == 100
    assert "INVALID_ARGUMENT INVALID_JSONL: " in str(caught.value)
    assert await account.file_ids() == []


async def test_an_upload_that_the_provider_ends_early_says_why(
    client: Any, account: Account
) -> None:
    await account.fault(kind="early", status=401, method="POST", body={"error": {}}, times=None)
    with pytest.raises(ProviderCredentialRejected) as caught:
        await client.upload_file(bytes(60_000_000), purpose="user_data")
    assert caught.value.metadata["http_status"] == "401"
    assert caught.value.request_id


async def test_what_reading_raises_is_raised_and_nothing_is_created(
    client: Any, account: Account
) -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT[: 2 * CHUNK]
        raise OSError(5, "the disk is broken")

    with pytest.raises(OSError, match="the disk is broken"):
        await client.upload_file(broken(), chunk_bytes=CHUNK)
    assert await account.file_ids() == []


async def test_an_upload_that_is_interrupted_creates_nothing(
    gateway: Gateway, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches the thread that waits, while one of gRPC's reads the source."""
    loop, going_on = asyncio.get_running_loop(), threading.Event()

    def pieces() -> Iterator[bytes]:
        yield CONTENT
        going_on.wait(30)

    kept: list[object] = []

    def interrupted(call: object) -> None:
        # gRPC ends what nobody holds any more; a traceback may hold it for long.
        kept.append(call)
        asyncio.run_coroutine_threadsafe(eventually(account.requests), loop).result(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(calls, "result_of", interrupted)
    with Client(gateway.address) as client:
        with pytest.raises(KeyboardInterrupt):
            await asyncio.to_thread(client.upload_file, pieces())
        going_on.set()
        await uploads_over(account)
        assert await account.file_ids() == []


async def test_a_missing_file_and_a_directory_are_told_before_any_call(
    client: Any, account: Account, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match="missing"):
        await client.upload_file(tmp_path / "missing")
    with pytest.raises(IsADirectoryError):
        await client.upload_file(tmp_path)
    assert await account.requests() == []


async def test_a_digest_of_other_bytes_is_no_upload(client: Any, account: Account) -> None:
    with pytest.raises(ChecksumMismatch):
        await client.upload_file(CONTENT, sha256="0" * 64)
    assert await account.file_ids() == []


async def test_files_are_listed_over_all_pages_and_deleted(client: Any) -> None:
    ids = [
        (await client.upload_file(b"abc", purpose="user_data", provider=provider)).file.id
        for provider in ("openai",) * 5
    ]
    listed = [file.id async for file in client.list_files(purpose="user_data", page_size=2)]
    assert sorted(listed) == sorted(ids)
    assert (await client.get_file(ids[0])).id == ids[0]
    assert (await client.delete_file(ids[0])).deleted
    with pytest.raises(ProviderNotFound):
        await client.get_file(ids[0])
    with pytest.raises(InvalidField) as caught:
        [file async for file in client.list_files(page_size=-1)]
    assert [one.field for one in caught.value.violations] == ["page_size"]


async def test_content_is_downloaded_whole_or_in_part(client: Any, tmp_path: Path) -> None:
    file = (await client.upload_file(CONTENT)).file
    assert b"".join([piece async for piece in client.download_file(file.id)]) == CONTENT
    part = client.download_file(file.id, read_offset=1000, read_limit=500_000)
    assert b"".join([piece async for piece in part]) == CONTENT[1000:501_000]
    memory, told = io.BytesIO(), []
    assert await client.download_to(file.id, memory) == len(CONTENT)
    assert memory.getvalue() == CONTENT
    path = tmp_path / "out.jsonl"
    size = await client.download_to(file.id, path, progress=lambda done, _: told.append(done))
    assert path.read_bytes() == CONTENT
    assert size == told[-1] == len(CONTENT)
    assert [one.name for one in tmp_path.glob("out*")] == ["out.jsonl"]


@pytest.mark.parametrize("had", [300_000, len(CONTENT)])
async def test_a_download_to_a_path_goes_on_where_an_earlier_one_ended(
    client: Any, tmp_path: Path, had: int
) -> None:
    file = (await client.upload_file(CONTENT)).file
    path = tmp_path / "out.jsonl"
    # Other bytes than the file's, to see that they are not asked for again.
    (tmp_path / f"out.jsonl.{file.id}.part").write_bytes(b"x" * had)
    assert await client.download_to(file.id, str(path)) == len(CONTENT)
    assert path.read_bytes() == b"x" * had + CONTENT[had:]


async def test_a_download_that_is_left_ends_at_the_provider_too(
    client: Any, account: Account
) -> None:
    file = (await client.upload_file(bytes(30_000_000), jsonl_check=2)).file
    async for _ in client.download_file(file.id):
        break
    # The account can be used at once, and nothing hangs.
    assert (await asyncio.wait_for(client.get_file(file.id), 10)).id == file.id


async def test_chunks_of_no_bytes(client: Any) -> None:
    with pytest.raises(ValueError, match="chunk_bytes is 0"):
        await client.upload_file(b"a", purpose="user_data", filename="a.txt", chunk_bytes=0)


async def test_a_refusal_in_the_middle_of_sending_keeps_its_reason(client: Any, kind: str) -> None:
    # grpc.aio loses it in about one of ten of these, of which the client must not let one through.
    for _ in range(300 if kind == "async" else 20):
        with pytest.raises(ProviderUnknown):
            await client.upload_file(
                bytes(4_194_304),
                purpose="batch",
                provider="nope",
                filename="a.jsonl",
                chunk_bytes=65_536,
            )
