"""A request body on its way."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable
from typing import cast

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter


class Upload(aiohttp.Payload):
    """A request body that keeps its own failure and never looks complete when it is not."""

    def __init__(self, stream: AsyncIterable[bytes], write_timeout: float | None) -> None:
        super().__init__(stream)
        self._stream = stream
        self._write_timeout = write_timeout
        self._task: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._answered = False
        self._failure: BaseException | None = None

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        """Send the body; aiohttp runs this in a task of its own."""
        transport = writer.transport
        self._task = task = cast("asyncio.Task[None]", asyncio.current_task())
        try:
            try:
                if not self._answered:
                    await self._write_all(writer, content_length)
            except BaseException:
                if not self._answered or task.uncancel():
                    raise
            finally:
                self._ended.set()
            if self._answered:
                # Returning would end the body properly and raising would spoil the answer, so
                # wait for aiohttp to cancel this task at the answer's end.
                await asyncio.get_running_loop().create_future()
        except BaseException as exc:
            if not task.cancelling():
                self._failure = exc
            if transport is not None:
                transport.abort()  # close() would first send what is buffered, however long it takes
            raise

    async def _write_all(self, writer: AbstractStreamWriter, length: int | None) -> None:
        chunks = aiter(self._stream)
        left = length
        try:
            async for chunk in chunks:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise httpx.LocalProtocolError("Body longer than its Content-Length")
                await self._in_time(writer.write(chunk))
            if left:
                raise httpx.LocalProtocolError("Body shorter than its Content-Length")
            await self._in_time(writer.write_eof())
        finally:
            # httpx wraps a generator and leaves it open, so both are closed.
            for each in (chunks, getattr(self._stream, "_stream", None)):
                if isinstance(each, AsyncGenerator):
                    await each.aclose()

    async def _in_time(self, writing: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await writing
        except TimeoutError as exc:
            raise httpx.WriteTimeout("The server does not take the body") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise httpx.WriteError(str(exc)) from exc

    async def ended(self) -> BaseException | None:
        """Wait until nothing of the caller's body runs any more; give its failure."""
        if self._task is not None:
            await self._ended.wait()
        return self._failure

    async def stop(self) -> None:
        """End an incomplete body because the answer has come."""
        if not self._ended.is_set():
            self._answered = True
            if self._task is not None:
                self._task.cancel()
                await self._ended.wait()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send a body whose length is not known."""
        await self.write_with_length(writer, None)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002
        """Refuse: only aiohttp's logging and replaying would need it."""
        raise TypeError("A request body is read once")
