"""The base of all interceptors: hides gRPC's four shapes of handlers behind one.

A concern is a coroutine function around the rest of an RPC: it awaits `proceed()` and returns what
that returns, or raises. Health checks and reflection are left alone; whatever else is served, now or
later, goes through all concerns.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from math import inf
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServicerContext

from batchgate_server.call import Call, enter_call
from batchgate_server.interceptors.request_id import request_id

# Messages and contexts of any RPC: gRPC's own types are generic in them.
Context = ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Proceed = Callable[[], Awaitable[Any]]
Concern = Callable[[Call, Context, Proceed], Awaitable[Any]]

OPEN_SERVICES = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")


class ChainInterceptor(grpc.aio.ServerInterceptor):
    """Runs each RPC inside all concerns, the first one outermost."""

    def __init__(self, concerns: Sequence[Concern]) -> None:
        self._inside_out = tuple(reversed(concerns))
        self._wrapped: dict[str, Handler] = {}

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
        return self._wrapped[method]

    def _wrap(self, method: str, handler: Any) -> Handler:  # noqa: ANN401 - one of gRPC's four shapes
        make, behavior = _parts(handler)
        wrapped = self._streaming if handler.response_streaming else self._unary
        begin = partial(Call, method, receives_stream=handler.request_streaming)
        wrapped_handler: Handler = make(
            wrapped(begin, behavior),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped_handler

    def _unary(self, begin: Callable[..., Call], behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - any message
            return await self._run(begin, context, partial(behavior, request, context), request)

        return handle

    def _streaming(self, begin: Callable[..., Call], behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> None:  # noqa: ANN401 - any message
            # Written from here, not yielded to gRPC: then a cancelled RPC is cancelled inside of
            # the concerns, and closes what its generator holds at once.
            async def write_all() -> None:
                async with aclosing(behavior(request, context)) as responses:
                    async for response in responses:
                        try:
                            await context.write(response)
                        except grpc.aio.InternalError as exc:
                            # The caller went away while this was to be sent: gRPC says so here
                            # first, and is about to cancel this task.
                            raise asyncio.CancelledError from exc

            await self._run(begin, context, write_all, request)

        return handle

    async def _run(
        self, begin: Callable[..., Call], context: Context, proceed: Proceed, request: object
    ) -> Any:  # noqa: ANN401 - any message
        """An RPC inside of all concerns, and its trailing metadata if it succeeds."""
        call = begin(
            request_id=request_id(context.invocation_metadata()),
            request=request,
            deadline=deadline(context),
        )
        enter_call(call)
        for concern in self._inside_out:
            proceed = partial(concern, call, context, proceed)
        try:
            answer = await proceed()
        finally:
            call.end()
        context.set_trailing_metadata(trailing_metadata(call))
        return answer


def deadline(context: Context) -> float:
    """When the caller stops waiting, by the event loop's clock; infinite if it does not."""
    remaining: float | None = context.time_remaining()
    return inf if remaining is None else asyncio.get_running_loop().time() + remaining


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
