"""The base of all interceptors: hides gRPC's four shapes of handlers behind one.

A concern is a coroutine function around the rest of an RPC: it awaits `proceed()` and returns what
that returns, or raises. Health checks and reflection are left alone; whatever else is served, now or
later, goes through all concerns.

What gRPC does with a message that is no protobuf (UNKNOWN, with Python's words) is decided here, too,
inside of the concerns.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any, Protocol, Self, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc.aio import ServicerContext

from batchgate_server.call import Call, current_call, enter_call
from batchgate_server.errors import InvalidField
from batchgate_server.interceptors.request_id import request_id
from batchgate_server.stream_end import send_initial_metadata

# Messages and contexts of any RPC: gRPC's own types are generic in them.
Context = ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Proceed = Callable[[], Awaitable[Any]]
Concern = Callable[[Call, Context, Proceed], Awaitable[Any]]

OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")


class Entrance(Protocol):
    """What every call comes through, before anything is done for it."""

    def is_full(self) -> bool:
        """Whether a call that comes now may be one too many."""

    async def ensure_room(self, who: str, context: Context, *, receives_stream: bool) -> None:
        """Abort a call that came when it was full, if it is one too many of its caller."""

    async def turn(self, who: Callable[[], str]) -> None:
        """Return when the call may begin."""


class ChainInterceptor(grpc.aio.ServerInterceptor):
    """Runs each RPC inside all concerns, the first one outermost."""

    def __init__(
        self, concerns: Sequence[Concern], *, entrance: Entrance, who: Callable[[Context], str]
    ) -> None:
        """`who` says as whom a call waits at the entrance."""
        self._entrance = entrance
        self._who = who
        self._inside_out = tuple(reversed(concerns))
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """The handler of an RPC, wrapped once."""
        method = handler_call_details.method
        if method not in self._wrapped:
            handler = await continuation(handler_call_details)
            if handler is None or method.startswith(OPEN_SERVICES):
                return handler
            self._wrapped[method] = self._wrap(method, handler)
        wrapped, guarded = self._wrapped[method]
        return guarded if self._entrance.is_full() else wrapped

    def _wrap(self, method: str, handler: Any) -> tuple[Handler, Handler]:  # noqa: ANN401 - one of gRPC's four shapes
        """What handles an RPC, and what does so where it may be one too many."""
        make, behavior = _parts(handler)
        if handler.request_streaming:
            behavior = _with_its_requests(behavior)
        begin = partial(
            Call,
            method,
            receives_stream=handler.request_streaming,
            sends_stream=handler.response_streaming,
        )
        wrapped = (self._streaming if handler.response_streaming else self._unary)(begin, behavior)
        # Of this shape whatever the method is: gRPC reads no request for it before it is asked to.
        make_guarded: Callable[..., Handler] = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        serialization = {
            "request_deserializer": _reader(
                handler.request_deserializer, streams=handler.request_streaming
            ),
            "response_serializer": handler.response_serializer,
        }
        guarded = self._guarded(wrapped, receives_stream=handler.request_streaming)
        return make(wrapped, **serialization), make_guarded(guarded, **serialization)

    def _guarded(self, wrapped: Any, *, receives_stream: bool) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(requests: AsyncIterator[Any], context: Context) -> Any:  # noqa: ANN401 - any message
            await self._entrance.ensure_room(
                self._who(context), context, receives_stream=receives_stream
            )
            if receives_stream:
                return await wrapped(requests, context)
            none = Unreadable(InvalidField("request", "is missing"))
            return await wrapped(await anext(aiter(requests), none), context)

        return handle

    def _unary(self, begin: Callable[..., Call], behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - any message
            return await self._run(begin, context, partial(behavior, request, context), request)

        return handle

    def _streaming(self, begin: Callable[..., Call], behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> None:  # noqa: ANN401 - any message
            # Written from here, not yielded to gRPC: then a cancelled RPC is cancelled inside of
            # the concerns, and closes what its generator holds at once.
            async def write_all() -> None:
                call = current_call()
                clock = asyncio.get_running_loop().time
                any_sent = False
                async with aclosing(behavior(request, context)) as responses:
                    async for response in responses:
                        call.waiting_since = clock()
                        try:
                            if not any_sent:
                                # Not with the first message, which can be cancelled.
                                await send_initial_metadata(context)
                                any_sent = True
                            await context.write(response)
                        except grpc.aio.InternalError as exc:
                            # The caller went away while this was to be sent: gRPC says so here
                            # first, and is about to cancel this task.
                            raise asyncio.CancelledError from exc
                        call.waiting_since = inf

            await self._run(begin, context, write_all, request)

        return handle

    async def _run(
        self, begin: Callable[..., Call], context: Context, proceed: Proceed, request: object
    ) -> Any:  # noqa: ANN401 - any message
        """An RPC inside of all concerns, and its trailing metadata if it succeeds."""
        await self._entrance.turn(partial(self._who, context))
        now = asyncio.get_running_loop().time()
        remaining: float | None = context.time_remaining()
        call = begin(
            request_id=request_id(context.invocation_metadata()),
            begun=now,
            deadline=inf if remaining is None else now + remaining,
        )
        enter_call(call)
        if isinstance(request, Unreadable):
            proceed = request.refused
        elif not call.receives_stream:
            call.request = request
        for concern in self._inside_out:
            proceed = partial(concern, call, context, proceed)
        try:
            answer = await proceed()
        finally:
            call.end()
        context.set_trailing_metadata(trailing_metadata(call))
        return answer


def trailing_metadata(call: Call) -> list[tuple[str, str]]:
    """What every RPC ends with."""
    metadata = [("x-request-id", call.request_id)]
    if call.provider_request_id:
        metadata.append(("x-provider-request-id", call.provider_request_id))
    return metadata


def _parts(handler: Any) -> tuple[Any, Any]:  # noqa: ANN401 - one of gRPC's four shapes
    """The function that makes a handler of this shape, and the handler's own."""
    if handler.request_streaming:
        if handler.response_streaming:
            return grpc.stream_stream_rpc_method_handler, handler.stream_stream
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a request that is no protobuf: an error that is raised for it gRPC would word."""

    error: InvalidField

    async def refused(self) -> Any:  # noqa: ANN401 - takes the place of any answer
        """Tells the caller."""
        raise self.error


def _reader(deserialize: Any, *, streams: bool) -> Callable[[bytes], Any] | None:  # noqa: ANN401 - any message's
    """A deserializer whose failure is the caller's: raised in a stream, else an `Unreadable`."""
    if deserialize is None:
        return None
    kind = deserialize.__self__.__name__ if hasattr(deserialize, "__self__") else "message"

    def read(raw: bytes) -> Any:  # noqa: ANN401 - any message
        try:
            return deserialize(raw)
        except DecodeError as exc:
            error = InvalidField("request", f"is no {kind} of batchgate.v1")
            if streams:
                raise error from exc
            return Unreadable(error)

    return read


def _with_its_requests(behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
    """What does the same, while the call knows when it waits for a message."""
    return lambda requests, context: behavior(_Requests(requests), context)


class _Requests:
    """A caller's messages."""

    def __init__(self, messages: AsyncIterator[Any]) -> None:
        self._messages = messages
        self._call = current_call()
        self._clock = asyncio.get_running_loop().time

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - any message
        self._call.waiting_since = self._clock()
        try:
            return await anext(self._messages)
        finally:
            self._call.waiting_since = inf
