"""What the calls of all services share: who calls, for how long, and how a failure comes out."""

import dataclasses
import math
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Self, TypeVar, cast

import grpc

from batchgate.v1.batch_service_pb2_grpc import BatchServiceStub
from batchgate.v1.file_service_pb2_grpc import FileServiceStub
from batchgate.v1.provider_service_pb2_grpc import ProviderServiceStub
from batchgate_client._async.runtime import Channels, Interrupted, begin, result_of, sleep
from batchgate_client.bound import BoundChannel
from batchgate_client.connection import DEFAULT_ADDRESS, Identity, Tls
from batchgate_client.errors import BatchgateError, error_of
from batchgate_client.patience import Patience
from batchgate_client.proxies import proxy_for

Request = TypeVar("Request")
Response = TypeVar("Response")
Stream = Callable[..., Any]

TIMEOUT_SECONDS, CREATION_SECONDS, PATIENCE_SECONDS = 60.0, 900.0, 300.0
# Of a unary call; the pauses between them take some seconds together.
MAX_RETRIES = 4
# What is left of a deadline that is over: the call fails with it.
LEAST_SECONDS = 0.001


class AsyncCalls:
    """A channel, and what goes along with each call on it."""

    # Tests have a time of their own.
    _clock = staticmethod(time.monotonic)
    _sleep = staticmethod(sleep)

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        provider: str = "",
        token: str | None = None,
        tls: Tls | None = None,
        timeout: float | None = None,
        patience: float = PATIENCE_SECONDS,
        max_retries: int | None = None,
        provider_key: str | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
        channel: grpc.aio.Channel | None = None,
    ) -> None:
        self._timeout = timeout
        self._patience = patience
        self._max_retries = max_retries
        self._own_channel = channel is None
        self._proxy = proxy_for(address) if channel is None else None
        # Shared with the clients that are made of this one.
        self._closed = threading.Event()
        self._channels = Channels(address, tls, channel)
        self._bind(Identity(provider, token, provider_key, metadata))

    def _bind(self, identity: Identity) -> None:
        self._identity = identity
        bound = BoundChannel(self._channels.current, identity.headers())
        self._channel = cast("grpc.aio.Channel", bound)
        self.files = FileServiceStub(self._channel)
        """The stub of FileService, for what the methods here do not offer. Tokens go along."""
        self.batches = BatchServiceStub(self._channel)
        """The stub of BatchService."""
        self.providers = ProviderServiceStub(self._channel)
        """The stub of ProviderService."""

    def using(
        self,
        *,
        provider: str | None = None,
        token: str | None = None,
        provider_key: str | None = None,
        metadata: tuple[tuple[str, str], ...] | None = None,
        timeout: float | None = None,
    ) -> Self:
        """A client on the same channel in which what is given here counts instead.

        It is not to be closed; the first one is.
        """
        changes: dict[str, Any] = {
            "provider": provider,
            "token": token,
            "provider_key": provider_key,
            "metadata": metadata,
        }
        other: Self = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other._own_channel = False
        other._timeout = self._timeout if timeout is None else timeout
        given = {name: one for name, one in changes.items() if one is not None}
        other._bind(dataclasses.replace(self._identity, **given))
        return other

    async def close(self) -> None:
        """Close the channel, unless it was given by the caller."""
        if self._own_channel:
            self._closed.set()
            await self._channels.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    def _provider(self, provider: str | None) -> str:
        return self._identity.provider if provider is None else provider

    def _error(self, failed: grpc.RpcError) -> BatchgateError:
        return error_of(failed, self._proxy)

    async def _pause(self, seconds: float, error: BatchgateError) -> None:  # noqa: ARG002 - the command line tells it
        """Wait before something is tried again that failed with `error`."""
        await self._sleep(seconds)

    async def _unary(
        self,
        method: Callable[..., Awaitable[Response]],
        request: object,
        *,
        timeout: float | None,
        default: float = TIMEOUT_SECONDS,
        repeatable: bool = False,
    ) -> Response:
        """One call; `default` is its timeout where neither it nor the client has one.

        One that is `repeatable` is tried again where waiting helps, within its timeout.
        """
        seconds = next(one for one in (timeout, self._timeout, default) if one is not None)
        began = self._clock()
        most = MAX_RETRIES if self._max_retries is None else self._max_retries
        patience = Patience(
            seconds, max_retries=most if repeatable else 0, from_start=True, clock=self._clock
        )
        left = seconds
        while True:
            try:
                return await method(request, timeout=_bounded(left))
            except grpc.RpcError as failed:
                error = self._error(failed)
                if self._closed.is_set():
                    raise error from failed
                pause = patience.pause(error)
            await self._pause(pause, error)
            left = max(began + seconds - self._clock(), LEAST_SECONDS)

    async def _sent(
        self,
        method: Callable[..., Awaitable[Response]],
        requests: AsyncIterator[Request],
        *,
        timeout: float | None,
    ) -> Response:
        """One call whose caller streams. What fails while reading the caller's own source is raised as it is."""
        watched = _Watched(requests)
        call = begin(method, watched.requests(), timeout=_bounded(timeout))
        watched.begun(call)
        try:
            response: Response = await result_of(call)
        except (grpc.RpcError, Interrupted) as failed:
            # gRPC only tells that the call was cancelled.
            if watched.failure is not None:
                raise watched.failure from None
            if isinstance(failed, grpc.RpcError):
                raise self._error(failed) from failed
            raise
        finally:
            # Also where this side is interrupted: a thread of gRPC's would go on sending.
            call.cancel()
        return response

    async def _received(
        self, following: Callable[[], tuple[Stream, object] | None], *, timeout: float | None
    ) -> AsyncGenerator[Any, None]:
        """The messages of a stream that is begun anew where it breaks off.

        `following` gives the method and the request, which goes on where the messages so far have
        ended; None where nothing is left.
        """
        most = math.inf if self._max_retries is None else self._max_retries
        patience = Patience(self._patience, max_retries=most, clock=self._clock)
        end = math.inf if timeout is None else self._clock() + timeout
        left = timeout
        while (next_call := following()) is not None:
            method, request = next_call
            call = begin(method, request, timeout=_bounded(left))
            try:
                async for message in call:
                    patience.progress()
                    yield message
                return
            except grpc.RpcError as failed:
                error = self._error(failed)
                if self._closed.is_set():
                    raise error from None
                pause = min(patience.pause(error), max(end - self._clock(), 0))
            finally:
                call.cancel()
            await self._pause(pause, error)
            left = max(end - self._clock(), LEAST_SECONDS)


def _bounded(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds


class _Watched:
    """Requests, and what went wrong with reading them."""

    def __init__(self, requests: AsyncIterable[Any]) -> None:
        self._requests = requests
        self._call: Any = None
        self._begun = threading.Event()
        self.failure: Exception | None = None

    def begun(self, call: object) -> None:
        """The call for which they are read."""
        self._call = call
        self._begun.set()

    async def requests(self) -> AsyncIterator[Any]:
        try:
            async for request in self._requests:
                yield request
        except Exception as failure:  # noqa: BLE001 - raised again where the call is awaited
            self.failure = failure
            # Where requests are read in a thread, that may be before the call is known here.
            self._begun.wait()
            # Before the end of the requests, which would tell the gateway that this was all.
            self._call.cancel()
