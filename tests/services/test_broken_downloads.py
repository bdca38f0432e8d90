"""Downloads that break off in the middle and go on: never a byte doubled, lost or of another file."""

import asyncio
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2, file_service_pb2
from tests.conftest import IMPATIENT, Account, Gateway, OpenGateway
from tests.services.rows import done, line, quick_gateway
from tests.status import Failure, failure_of
from tests.waiting import no_task_but, tasks

CONTENT = bytes(range(256)) * 40
PARTIAL, NO_RANGE = 206, 416
RETRIES = 2  # by default
SHARED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Breaking:
    """A provider of one file, whose answers end where it is told, and in some way."""

    content: bytes = CONTENT
    cuts: list[int] = field(default_factory=list)
    """Of each answer: how many bytes of its body come; behind the last one answers are whole."""
    honours_ranges: bool = True
    chunked: bool = False
    resets: bool = False
    etags: list[str] = field(default_factory=list)
    """Of each answer; behind the last one there is none."""
    contents: list[bytes] = field(default_factory=list)
    """Of each answer, before `content` is that of all later ones."""
    gzipped: list[bool] = field(default_factory=list)
    """Of each answer, whether it is compressed without being asked; its places are those of that."""
    ranges: list[str] = field(default_factory=list)
    """What was asked for, by each request."""
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked = re.search(r"\r\nrange: bytes=(\d+)-\r\n", head, re.IGNORECASE)
        self.ranges.append(asked[1] if asked else "")
        content = self.contents.pop(0) if self.contents else self.content
        if self.gzipped and self.gzipped.pop(0):
            content, encoding = gzip.compress(content, mtime=0), ["content-encoding: gzip"]
        else:
            encoding = []
        start = int(asked[1]) if asked and self.honours_ranges else 0
        status, headers = 200, encoding
        body = content[start:]
        if asked and self.honours_ranges:
            status = PARTIAL if body else NO_RANGE
            place = f"{start}-{len(content) - 1}" if body else "*"
            headers.append(f"content-range: bytes {place}/{len(content)}")
        if self.etags:
            headers.append(f"etag: {self.etags.pop(0)}")
        cut = self.cuts.pop(0) if self.cuts and status != NO_RANGE else None
        self._write(writer, status, headers, body, cut)
        try:
            await writer.drain()
            if cut is not None and self.resets:
                writer.transport.abort()
        except ConnectionError:
            pass
        writer.close()

    def _write(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        headers: list[str],
        body: bytes,
        cut: int | None,
    ) -> None:
        framing = "transfer-encoding: chunked" if self.chunked else f"content-length: {len(body)}"
        lines = [f"HTTP/1.1 {status} So", "connection: close", framing, *headers, "", ""]
        writer.write("\r\n".join(lines).encode())
        body = body[:cut]
        if self.chunked:
            if body:
                writer.write(b"%x\r\n%b\r\n" % (len(body), body))
            writer.write(b"0\r\n\r\n" if cut is None else b"")
        else:
            writer.write(body)


@pytest.fixture
async def provider() -> AsyncIterator[Breaking]:
    breaking = Breaking()
    server = await asyncio.start_server(breaking.serve, "127.0.0.1", 0)
    async with server:
        breaking.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield breaking


@pytest.fixture
async def reader(provider: Breaking, open_gateway: OpenGateway) -> Gateway:
    """A gateway to it, with the two retries that are the default."""
    openai = {"kind": "openai", "base_url": provider.url, "api_key": "k", **IMPATIENT}
    return await open_gateway({"providers": {"p": openai}})


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    """One to the sandbox, which looks often."""
    return await quick_gateway(account, open_gateway)


def told(provider: Breaking, **changes: Any) -> None:
    """Begin anew with what it is to do."""
    provider.__init__(url=provider.url, **changes)  # type: ignore[misc]


async def failed(gateway: Gateway, file_id: str = "file-1", **place: Any) -> tuple[Failure, bytes]:
    """How a download ends, and what came before."""
    received = b""
    request = file_service_pb2.DownloadFileRequest(file_id=file_id, **place)
    try:
        async for piece in gateway.files.DownloadFile(request):
            assert piece.offset == place.get("read_offset", 0) + len(received)
            received += piece.chunk
    except grpc.aio.AioRpcError as exc:
        return failure_of(exc), received
    pytest.fail(f"OK after {len(received)} bytes")


@SHARED
@given(data=st.data())
async def test_it_goes_on_wherever_it_breaks_off(
    provider: Breaking, reader: Gateway, data: st.DataObject
) -> None:
    """As long as every third answer brings something new."""
    size = data.draw(st.integers(1, 3000))
    told(
        provider,
        content=CONTENT[:size],
        honours_ranges=data.draw(st.booleans()),
        chunked=data.draw(st.booleans()),
    )
    # Each answer reaches a place of its own; without ranges it begins anew each time.
    places = sorted(data.draw(st.lists(st.integers(0, size), max_size=6, unique=True)))
    offset = data.draw(st.integers(0, size - 1))
    limit = data.draw(st.integers(0, size))
    reached = offset
    for place in places:
        provider.cuts.append(max(place - reached, 0) if provider.honours_ranges else place)
        reached = max(reached, place) if provider.honours_ranges else reached
    wanted = provider.content[offset : offset + limit] if limit else provider.content[offset:]
    fruitless = [place for place in places if place <= offset]
    if len(fruitless) <= RETRIES:
        got = await reader.download("file-1", read_offset=offset, read_limit=limit)
        assert got == wanted
    else:
        _, got = await failed(reader, read_offset=offset, read_limit=limit)
        assert got == b""


@pytest.mark.parametrize("honours_ranges", [True, False])
async def test_it_asks_for_what_is_missing(
    provider: Breaking, reader: Gateway, *, honours_ranges: bool
) -> None:
    told(provider, cuts=[1000], honours_ranges=honours_ranges)
    with capture_logs() as lines:
        assert await reader.download("file-1") == CONTENT
    assert provider.ranges == ["", "1000"]
    assert [line["retries"] for line in lines] == [1]


async def test_a_reset_is_a_break_too(provider: Breaking, reader: Gateway) -> None:
    """What was on its way may be lost, and is asked for again."""
    told(provider, cuts=[3000, 3000, 3000], resets=True)
    assert await reader.download("file-1") == CONTENT


async def test_without_progress_it_ends(provider: Breaking, reader: Gateway) -> None:
    told(provider, cuts=[1000, 0, 0, 0])
    failure, received = await failed(reader)
    assert (failure.code, failure.reason) == ("UNAVAILABLE", "PROVIDER_UNAVAILABLE")
    assert received == CONTENT[:1000]
    assert provider.ranges == ["", "1000", "1000"]


async def test_progress_begins_the_count_anew(provider: Breaking, reader: Gateway) -> None:
    told(provider, cuts=[10, 0, 10, 0, 10, 0, 10])
    assert await reader.download("file-1") == CONTENT
    assert provider.ranges == ["", "10", "10", "20", "20", "30", "30", "40"]


async def test_the_end_is_no_end_until_it_is_seen(provider: Breaking, reader: Gateway) -> None:
    """All bytes came, but not their end: there is no range behind, and a whole answer tells."""
    told(provider, cuts=[len(CONTENT)], chunked=True)
    assert await reader.download("file-1") == CONTENT
    assert provider.ranges == ["", str(len(CONTENT)), ""]


CHANGED: dict[str, dict[str, Any]] = {
    "another size": {"contents": [CONTENT, CONTENT + b"more"]},
    "another size, without ranges": {
        "contents": [CONTENT, CONTENT + b"more"],
        "honours_ranges": False,
    },
    "another etag": {"etags": ['"a"', '"b"']},
    "another etag, without ranges": {"etags": ['"a"', '"b"'], "honours_ranges": False},
    "shorter": {"contents": [CONTENT, CONTENT[:500]], "honours_ranges": False, "chunked": True},
    "shorter, behind a range": {"contents": [CONTENT, CONTENT[:500], CONTENT[:500]]},
}


@pytest.mark.parametrize("how", CHANGED)
async def test_two_files_are_never_mixed(provider: Breaking, reader: Gateway, how: str) -> None:
    told(provider, cuts=[1000], **CHANGED[how])
    failure, received = await failed(reader)
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert "broke the content off, and has another one now" in failure.message
    assert failure.metadata["provider"] == "p"
    assert received == CONTENT[:1000]


async def test_what_is_compressed_is_read_again_from_its_beginning(
    provider: Breaking, reader: Gateway
) -> None:
    """A place in the content is none in what is sent."""
    content = hashlib.shake_128(b"").digest(20_000)
    told(provider, content=content, cuts=[9000, 15_000], gzipped=[True, True, True])
    assert await reader.download("file-1") == content
    assert provider.ranges == ["", "", ""]


async def test_a_part_of_something_compressed_is_not_taken(
    provider: Breaking, reader: Gateway
) -> None:
    told(provider, cuts=[100], gzipped=[False, True])
    failure, received = await failed(reader)
    assert (failure.code, failure.reason) == ("INTERNAL", "PROVIDER_BAD_RESPONSE")
    assert "another range than was asked for" in failure.message
    assert received == CONTENT[:100]


async def test_before_the_first_byte_any_content_will_do(
    provider: Breaking, reader: Gateway
) -> None:
    told(provider, cuts=[0], contents=[b"old"], etags=['"a"', '"b"'])
    assert await reader.download("file-1") == CONTENT


async def test_an_etag_that_stays_is_the_same_file(provider: Breaking, reader: Gateway) -> None:
    told(provider, cuts=[1000, 1000], etags=['"a"', '"a"', '"a"'])
    assert await reader.download("file-1") == CONTENT


async def test_a_file_that_is_deleted_meanwhile_is_not_found(
    account: Account, gateway: Gateway
) -> None:
    file_id = (await gateway.upload(CONTENT, purpose="vision")).file.id
    await account.fault(kind="cut", path="*/content")
    await account.fault(kind="answer", status=404, path="*/content")
    failure, received = await failed(gateway, file_id)
    assert failure.reason == "PROVIDER_NOT_FOUND"
    assert CONTENT.startswith(received)


async def test_a_caller_that_goes_away_ends_it(
    account: Account, open_gateway: OpenGateway, provider: Breaking
) -> None:
    told(provider, cuts=[1000, 0])
    patient = {"retry_first_seconds": 600, "retry_cap_seconds": 600}
    openai = {"kind": "openai", "base_url": provider.url, "api_key": "k", **patient}
    gateway = await open_gateway({"providers": {"p": openai}})
    before = tasks()
    stream = gateway.files.DownloadFile(file_service_pb2.DownloadFileRequest(file_id="file-1"))
    async for piece in stream:
        assert piece.chunk == CONTENT[:1000]
        break
    stream.cancel()
    await no_task_but(before)
    assert provider.ranges == [""]


# --------------------------------------------------------------------------- results and retries


@pytest.mark.parametrize("send_bytes", [0, 1, 5_000, 49_999])
async def test_rows_go_on_where_they_broke_off(
    account: Account, gateway: Gateway, send_bytes: int
) -> None:
    """In the middle of a line, too."""
    ids = [f"row-{number}" for number in range(200)]
    batch = await done(gateway, b"".join(line(one) for one in ids))
    await account.fault(kind="cut", path="*/content", send_bytes=send_bytes)
    await account.fault(kind="cut", path="*/content", send_bytes=send_bytes + 999)
    request = batch_service_pb2.StreamBatchResultsRequest(batch_id=batch.id)
    rows = [
        row
        async for message in gateway.batches.StreamBatchResults(request)
        for row in message.results
    ]
    assert sorted(row.custom_id for row in rows) == sorted(ids)
    assert sorted(row.line for row in rows) == list(range(1, 201))


@pytest.mark.parametrize("which", ["input_file_id", "output_file_id", "error_file_id"])
async def test_a_retried_batch_has_each_line_once(
    account: Account, gateway: Gateway, which: str
) -> None:
    lines = [line(f"row-{n}", fail=400) if n % 2 else line(f"row-{n}") for n in range(200)]
    batch = await done(gateway, b"".join(lines))
    await account.fault(kind="cut", path=f"*/{getattr(batch, which)}/content")
    answer = await gateway.batches.RetryBatch(
        batch_service_pb2.RetryBatchRequest(batch_id=batch.id)
    )
    assert answer.line_count == 100
    assert await gateway.download(answer.file.id) == b"".join(lines[1::2])
