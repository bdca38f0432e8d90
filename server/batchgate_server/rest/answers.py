"""Reading the body of an answer."""

from collections.abc import AsyncIterator
from typing import cast

import httpx


def pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it comes, decompressed where a provider compresses although not asked to.

    A plain one passes by httpx's decoding, which costs as much as translating a whole batch.
    """
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    return aiter(cast("httpx.AsyncByteStream", response.stream))
