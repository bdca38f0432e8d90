"""What differs between the async and the sync client beyond words."""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import grpc

from batchgate_client.connection import Tls, channel_options
from batchgate_client.sources import Regrouped, slices

Item = TypeVar("Item")
Source: TypeAlias = Any
"""A path, bytes, a binary file, or an iterable of bytes."""

sleep: Callable[[float], None] = time.sleep
# What a call that was cancelled on this side raises, besides grpc.RpcError.
Interrupted = grpc.FutureCancelledError


class Channels:
    """The channel of a client; it connects with the first call."""

    def __init__(self, address: str, tls: Tls | None, given: grpc.Channel | None) -> None:
        self._given = given
        options = channel_options(address, tls)
        if given is not None:
            self._channel = given
        elif tls is None:
            self._channel = grpc.insecure_channel(address, options=options)
        else:
            self._channel = grpc.secure_channel(address, tls.credentials(), options=options)

    def current(self) -> grpc.Channel:
        """The channel."""
        return self._channel

    def close(self) -> None:
        """Close it, unless the caller gave it."""
        if self._given is None:
            self._channel.close()


def begin(method: Any, request: object, **options: object) -> Any:
    """The call of an RPC of which one side streams.

    It begins in a thread, since a signal's handler raises in the main one only: an interrupt between
    gRPC's own steps would leave a call that nothing ends, and closing the channel waits for that.
    """
    start = partial(method.future if method.kind == "stream_unary" else method, request, **options)
    if threading.current_thread() is not threading.main_thread():
        return start()
    with ThreadPoolExecutor(1, "batchgate-begin") as beginning:
        return beginning.submit(contextvars.copy_context().run, start).result()


def result_of(call: Any) -> Any:
    """Its response."""
    return call.result()


def chunks_of(source: Source, size: int) -> Iterator[bytes]:
    """The source's bytes in pieces of at most `size`."""
    match source:
        case str() | Path():
            with Path(source).open("rb") as file:
                while piece := file.read(size):
                    yield piece
        case bytes() | bytearray() | memoryview():
            yield from slices(source, size)
        case _ if hasattr(source, "read"):
            while piece := bytes(source.read(size)):
                yield piece
        case _:
            regrouped = Regrouped(size)
            for given in source:
                yield from regrouped.add(given)
            yield from regrouped.rest()


def each(items: Iterable[Item]) -> Iterator[Item]:
    """The items."""
    yield from items
