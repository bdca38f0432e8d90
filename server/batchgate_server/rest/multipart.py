"""A streamed `multipart/form-data` body: httpx's own `files=` refuses asynchronous content."""

import secrets
from collections.abc import AsyncIterable, AsyncIterator, Sequence

import httpx

from batchgate_server.outside import MEDIA_TYPE, parameter


class Multipart(httpx.AsyncByteStream):
    """The body of an upload: the text fields, then one file part whose content streams.

    The file comes last, so that everything known about it can be verified before the closing
    boundary: a body without that is no upload to any server.
    """

    def __init__(
        self,
        fields: Sequence[tuple[str, str]],
        *,
        filename: str,
        content_type: str,
        content: AsyncIterable[bytes],
    ) -> None:
        if not MEDIA_TYPE.fullmatch(content_type):
            raise ValueError("the content type is none")
        boundary = f"batchgate-{secrets.token_hex(16)}"
        parts = [
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{parameter(name)}"\r\n\r\n'
            f"{value}\r\n"
            for name, value in fields
        ]
        parts.append(
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{parameter(filename)}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        )
        self._head = "".join(parts).encode()
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._content = content
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self.begun = False
        """Whether any of the content was asked for: then the body cannot be sent again."""
        self.completed = False
        """Whether the closing boundary was handed out: until then the server has no whole file."""

    def length(self, content_length: int) -> int:
        """The length of the body in bytes, with a content of `content_length` bytes."""
        return len(self._head) + content_length + len(self._tail)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces; an error of the content comes out as it is."""
        yield self._head
        self.begun = True
        async for chunk in self._content:
            yield chunk
        self.completed = True
        yield self._tail
