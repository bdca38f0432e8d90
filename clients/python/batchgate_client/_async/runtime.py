"""What differs between the async and the sync client beyond words."""

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, TypeVar

import grpc

from batchgate_client.connection import Tls, channel_options
from batchgate_client.sources import Regrouped, slices

Item = TypeVar("Item")
Source: TypeAlias = Any
"""A path, bytes, a binary file (also an async one), or an iterable or async iterable of bytes."""

sleep = asyncio.sleep
# The way to a thread and back takes as long as sending a chunk.
CHUNKS_AHEAD = 8
Interrupted = asyncio.CancelledError


class Channels:
    """A channel for each event loop that calls are made in: one of grpc.aio belongs to its loop.

    Each is opened with the first call, so that a client can be made where no loop runs yet.
    """

    def __init__(self, address: str, tls: Tls | None, given: grpc.aio.Channel | None) -> None:
        self._address = address
        self._options = channel_options(address, tls)
        self._credentials = tls.credentials() if tls and given is None else None
        self._given = given
        self._opened: dict[asyncio.AbstractEventLoop, grpc.aio.Channel] = {}
        self._closed = False

    def current(self) -> grpc.aio.Channel:
        """The running loop's.

        Raises:
            RuntimeError: The client is closed.
        """
        if self._given is not None:
            return self._given
        loop = asyncio.get_running_loop()
        if self._closed:
            message = "the client is closed"
            raise RuntimeError(message)
        if loop not in self._opened:
            for ended in [one for one in self._opened if one.is_closed()]:
                del self._opened[ended]
            self._opened[loop] = self._open()
        return self._opened[loop]

    def _open(self) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(self._address, options=self._options)
        return grpc.aio.secure_channel(self._address, self._credentials, options=self._options)

    async def close(self) -> None:
        """Close all, unless the caller gave one."""
        self._closed = True
        while self._opened:
            loop, channel = self._opened.popitem()
            if loop is asyncio.get_running_loop():
                await channel.close()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(channel.close(), loop)
                await asyncio.wrap_future(closing)


def begin(method: Callable[..., Any], request: object, **options: object) -> Any:  # noqa: ANN401 - a call of grpc.aio
    """The call of an RPC of which one side streams."""
    return method(request, **options)


def endings(call: Any) -> list[grpc.aio.AioRpcError]:  # noqa: ANN401 - likewise
    """How the call ended; empty until then. To be asked for before anything is awaited."""
    ended: list[grpc.aio.AioRpcError] = []
    call.add_done_callback(lambda over: ended.append(_error(over)))
    return ended


async def result_of(call: Any, ended: list[grpc.aio.AioRpcError] | None = None) -> Any:  # noqa: ANN401 - likewise
    """Its response; `ended` are its endings, where it has been going on for a while.

    Where the gateway refuses while this side still sends, grpc.aio (up to 1.81 at least,
    grpc/grpc#36066) puts an INTERNAL of its own in the place of the gateway's status. So the status
    is taken when the call ends, before the failed write is seen.
    """
    if ended is None:
        ended = endings(call)
    try:
        return await call
    except grpc.aio.AioRpcError as failed:
        overwritten = failed.code() is grpc.StatusCode.INTERNAL and not failed.trailing_metadata()
        raise ended[0] if overwritten and ended else failed from None


def _error(call: Any) -> grpc.aio.AioRpcError:  # noqa: ANN401 - likewise
    """What a call that is over says now."""
    return grpc.aio.AioRpcError(
        _at_once(call.code()),
        _at_once(call.initial_metadata()),
        _at_once(call.trailing_metadata()),
        _at_once(call.details()),
    )


def _at_once(answer: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - likewise
    """What a coroutine returns that has nothing to wait for."""
    try:
        answer.send(None)
    except StopIteration as returned:
        return returned.value
    message = "the call is not over"
    raise RuntimeError(message)


async def chunks_of(source: Source, size: int) -> AsyncIterator[bytes]:
    """The source's bytes in pieces of at most `size`."""
    match source:
        case str() | Path():
            with await asyncio.to_thread(open, source, "rb") as file:
                async for piece in _ahead(file, size):
                    yield piece
        case bytes() | bytearray() | memoryview():
            for piece in slices(source, size):
                yield piece
        case _ if hasattr(source, "read"):
            while piece := await _read(source, size):
                yield piece
        case _:
            regrouped = Regrouped(size)
            async for given in each(source):
                for piece in regrouped.add(given):
                    yield piece
            for piece in regrouped.rest():
                yield piece


async def _ahead(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    while pieces := await asyncio.to_thread(file.read, size * CHUNKS_AHEAD):
        for piece in slices(pieces, size):
            yield piece


async def _read(file: Any, size: int) -> bytes:  # noqa: ANN401 - files of many libraries
    if inspect.iscoroutinefunction(file.read):
        return bytes(await file.read(size))
    return bytes(await asyncio.to_thread(file.read, size))


async def each(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    """The items of either kind of iterable."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
