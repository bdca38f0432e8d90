"""The base of all interceptors: hides gRPC's four shapes of handlers behind one `around`.

A concern is a function from a call to an asynchronous context manager; the RPC runs inside of it.
Only batchgate's own services are wrapped: health checks and reflection are left alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from typing import Any, TypeAlias

import grpc
from grpc.aio import ServicerContext

from batchgate_server.call import Call, enter_call
from batchgate_server.interceptors.request_id import request_id

# Messages and contexts of any RPC: gRPC's own types are generic in them.
Context = ServicerContext[Any, Any]
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Around = Callable[[Call, Context], AbstractAsyncContextManager[None]]

OWN_SERVICES = "/batchgate."


class ChainInterceptor(grpc.aio.ServerInterceptor):
    """Runs each RPC inside all concerns, the first one outermost."""

    def __init__(self, concerns: Sequence[Around]) -> None:
        self._concerns = concerns
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
            if handler is None or not method.startswith(OWN_SERVICES):
                return handler
            self._wrapped[method] = self._wrap(method, handler)
        return self._wrapped[method]

    def _wrap(self, method: str, handler: Any) -> Handler:  # noqa: ANN401 - one of gRPC's four shapes
        make, behavior = _parts(handler)
        wrapped = self._streaming if handler.response_streaming else self._unary
        wrapped_handler: Handler = make(
            wrapped(method, behavior),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return wrapped_handler

    def _unary(self, method: str, behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> Any:  # noqa: ANN401 - any message
            async with self._entered(method, context):
                return await behavior(request, context)

        return handle

    def _streaming(self, method: str, behavior: Any) -> Any:  # noqa: ANN401 - one of gRPC's four shapes
        async def handle(request: Any, context: Context) -> None:  # noqa: ANN401 - any message
            # Written from here, not yielded to gRPC: then a cancelled RPC is cancelled inside of
            # the concerns, and closes what its generator holds at once.
            async with (
                self._entered(method, context),
                aclosing(behavior(request, context)) as responses,
            ):
                async for response in responses:
                    await context.write(response)

        return handle

    def _entered(self, method: str, context: Context) -> AbstractAsyncContextManager[None]:
        return _Entered(self._concerns, method, context)


class _Entered:
    """All concerns around one RPC, and its trailing metadata if it succeeds."""

    def __init__(self, concerns: Sequence[Around], method: str, context: Context) -> None:
        self._concerns = concerns
        self._context = context
        self._call = Call(method=method, request_id=request_id(context.invocation_metadata()))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> None:
        enter_call(self._call)
        try:
            for concern in self._concerns:
                await self._stack.enter_async_context(concern(self._call, self._context))
        except BaseException as exc:
            # A concern that refuses does so inside of those before it.
            if not await self._stack.__aexit__(type(exc), exc, exc.__traceback__):
                raise

    async def __aexit__(self, *exc: Any) -> bool | None:  # noqa: ANN401, PYI036 - passed on as it is
        if exc[0] is None:
            self._context.set_trailing_metadata(trailing_metadata(self._call))
        return await self._stack.__aexit__(*exc)


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
