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


def open_channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    """A channel to the gateway. It connects with the first call."""
    options = channel_options(address, tls)
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, tls.credentials(), options=options)


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
