"""Bodies that come packed although nobody asked: unpacked in small pieces, or refused."""

import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest

from batchgate_server.rest.answers import PIECE_BYTES, pieces

CONTENT = b"content of a file, " * 1000
MEGABYTE = 2**20


def response(chunks: Iterable[bytes], *encodings: str) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    headers = [("content-encoding", encoding) for encoding in encodings]
    return httpx.Response(200, headers=headers, content=stream())


async def read(answer: httpx.Response) -> bytes:
    return b"".join([piece async for piece in pieces(answer)])


@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(CONTENT)),
        ("GZIP", gzip.compress(CONTENT)),
        ("x-gzip, identity", gzip.compress(CONTENT)),
        ("deflate", zlib.compress(CONTENT)),
        ("gzip", gzip.compress(CONTENT[:500]) + gzip.compress(CONTENT[500:])),
        ("identity", CONTENT),
        ("", CONTENT),
    ],
    ids=["gzip", "GZIP", "x-gzip", "deflate", "joined", "identity", "none"],
)
async def test_it_is_unpacked_however_it_is_cut(encoding: str, packed: bytes, size: int) -> None:
    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert await read(response(chunks, encoding)) == CONTENT


async def test_an_empty_body_is_empty_whatever_it_is_called() -> None:
    assert await read(response([], "gzip")) == b""
    assert await read(response([b""], "gzip")) == b""


@pytest.mark.parametrize(
    ("encodings", "packed"),
    [
        (["br"], CONTENT),
        (["zstd"], CONTENT),
        (["gzip, gzip"], gzip.compress(gzip.compress(CONTENT))),
        (["gzip", "deflate"], gzip.compress(CONTENT)),
        (["gzip"], CONTENT),
        (["gzip"], gzip.compress(CONTENT)[:-9]),
        (["deflate"], zlib.compress(CONTENT)[:-1]),
        (["gzip"], gzip.compress(CONTENT) + b"more"),
    ],
    ids=["br", "zstd", "twice", "two", "plain", "cut gzip", "cut deflate", "more"],
)
async def test_what_cannot_be_unpacked_is_refused(encodings: list[str], packed: bytes) -> None:
    with pytest.raises(httpx.DecodingError):
        await read(response([packed], *encodings))


async def test_a_bomb_is_unpacked_in_small_pieces() -> None:
    """256 MiB in one chunk: never more than a piece of it is there at once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    megabyte = bytes(MEGABYTE)
    bomb = b"".join(packer.compress(megabyte) for _ in range(256)) + packer.flush()
    total = 0
    tracemalloc.start()
    async for piece in pieces(response([bomb], "gzip")):
        assert len(piece) <= PIECE_BYTES
        total += len(piece)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 256 * MEGABYTE
    assert most < 2 * MEGABYTE
