"""Reading the body of an answer."""

from collections.abc import AsyncIterator
from typing import cast

import httpx


def pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes, decompressed where a provider compresses although not asked to.

    A plain one passes by httpx's decoding, which costs more than reading a small answer itself.
    """
    if any(name.lower() == b"content-encoding" for name, _ in response.headers.raw):
        return response.aiter_bytes()
    return aiter(cast("httpx.AsyncByteStream", response.stream))
