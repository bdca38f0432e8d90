"""Gateways that know their callers, and channels of callers that show who they are."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc.aio import Metadata

from batchgate_server.callers.tokens import digest
from tests.conftest import Gateway
from tests.secret_search import secret


def token_of(name: str) -> str:
    """The token of a caller in these tests."""
    return secret(f"bg_token-of-{name}")


def known(name: str, **settings: Any) -> dict[str, Any]:
    """The settings of a caller that is known by `token_of(name)`."""
    return {name: {"token_sha256": [digest(token_of(name))], **settings}}


@asynccontextmanager
async def as_caller(gateway: Gateway, *metadata: tuple[str, str]) -> AsyncIterator[Gateway]:
    """The gateway over a channel whose calls all carry this metadata."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(
        gateway.address, options=options, interceptors=_interceptors(metadata)
    ) as channel:
        yield Gateway(gateway.application, channel)


def bearer(name: str) -> tuple[str, str]:
    """The metadata by which a caller is known."""
    return ("authorization", f"Bearer {token_of(name)}")


def _interceptors(metadata: tuple[tuple[str, str], ...]) -> list[grpc.aio.ClientInterceptor]:
    async def intercept(
        _: object, continuation: Callable[..., Any], details: Any, request: Any
    ) -> Any:
        more = Metadata(*(details.metadata or ()), *metadata)
        return await continuation(details._replace(metadata=more), request)

    # grpc.aio takes each interceptor for one shape of RPC alone.
    return [
        type(kind.__name__, (kind,), {f"intercept_{shape}": intercept})()
        for shape, kind in {
            "unary_unary": grpc.aio.UnaryUnaryClientInterceptor,
            "unary_stream": grpc.aio.UnaryStreamClientInterceptor,
            "stream_unary": grpc.aio.StreamUnaryClientInterceptor,
        }.items()
    ]
