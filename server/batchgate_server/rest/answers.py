"""Reading the body of an answer."""

import zlib
from collections.abc import AsyncIterator
from typing import cast

import httpx

# Of what is packed, so much is held unpacked at once, whatever it would become.
PIECE_BYTES = 256 * 1024
GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
PACKINGS = {b"gzip", b"x-gzip", b"deflate"}


def pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes, unpacked piece by piece where a provider packs although not asked to."""
    stream = cast("httpx.AsyncByteStream", response.stream)
    packings = [
        word.strip().lower()
        for name, value in response.headers.raw
        if name.lower() == b"content-encoding"
        for word in value.split(b",")
    ]
    packings = [packing for packing in packings if packing not in {b"", b"identity"}]
    if not packings:
        return aiter(stream)
    if len(packings) > 1 or packings[0] not in PACKINGS:
        raise httpx.DecodingError("packed in a way that was not asked for")
    return _unpacked(stream)


async def _unpacked(stream: httpx.AsyncByteStream) -> AsyncIterator[bytes]:
    """Small pieces, while httpx's own unpacking makes 64 MiB at once out of 64 KiB."""
    unpacker = None
    try:
        async for packed in stream:
            rest = packed
            while rest:
                if unpacker is None or unpacker.eof:
                    # Gzip files may be joined.
                    unpacker = zlib.decompressobj(GZIP_OR_ZLIB)
                if piece := unpacker.decompress(rest, PIECE_BYTES):
                    yield piece
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        while unpacker is not None and not unpacker.eof:
            piece = unpacker.decompress(unpacker.unconsumed_tail, PIECE_BYTES)
            if not piece:
                raise httpx.DecodingError("the packed body is cut off")
            yield piece
    except zlib.error as exc:
        raise httpx.DecodingError("cannot be unpacked") from exc
