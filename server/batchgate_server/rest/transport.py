"""How requests reach a provider: httpx's interface over aiohttp's connections.

Compared with `python -m tests.benchmarks.transports`. httpx's own transport slows down with every
open connection and does not see an answer that comes before the body is complete. httpx-aiohttp
and pyreqwest are as fast or faster, but report failures after sending as failures to connect, which
callers may repeat, add headers, and leave the body's generator open. This one adds nothing: no
header of its own, cookie, redirect or decompression, reads no environment, and no second attempt but
one: a read that met a connection which the server had given up is sent on a new one.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, cast

import aiohttp
import httpx
from aiohttp import hdrs
from yarl import URL

from batchgate_server.rest.pool import Lane, Pool
from batchgate_server.rest.upload import Upload

_READ_BUFFER_BYTES = 2**16  # reading pauses at twice this; more was slower and held more
_HEADER_LIMIT_BYTES = 2**16  # aiohttp's 8 KiB is less than some gateways put into one header
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})

# What the usual refusals of a proxy mean.
_PROXY_WORDS = {
    403: " (it does not allow that host)",
    407: " (it wants a user name and password, or refuses those in proxy_url)",
    502: " (it cannot reach that host)",
    503: " (it cannot reach that host)",
    504: " (it cannot reach that host)",
}
# The connection ended before an answer. Timeouts are none of these: a stale one fails at once.
_BROKEN = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientOSError,
    aiohttp.ClientConnectionResetError,
    ConnectionError,
)

# The first that fits. Connect* mean "certainly not sent" to callers, all others "unclear".
_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (ValueError, httpx.LocalProtocolError),
)

# The addresses to which sockets were opened for the request at hand: a kept connection needs none.
_opened: ContextVar[list[object]] = ContextVar("opened")


class _StaleConnectionError(Exception):
    """A kept connection turned out to have been given up by the server."""


def open_transport(
    *,
    verify: ssl.SSLContext | Callable[[], ssl.SSLContext] | None = None,
    proxy: Callable[[], str] | None = None,
    max_connections: int,
    max_waiting: int = 100,
    keepalive_expiry_seconds: float = 4.0,
) -> httpx.AsyncBaseTransport:
    """Open a transport on the running event loop; `aclose()` ends it.

    Requests that change something travel on connections of their own: on a reused one a reset
    could not be told from a lost answer. A body is stopped when the answer comes before its end.

    Args:
        verify: The TLS settings, or what gives those of the next connection; httpx's defaults when
            absent.
        proxy: What gives the URL of the HTTP proxy that the next connection goes through.
        max_connections: Calls at once, answers still being read included; others wait for up to
            their `pool` timeout. Requests say in their extensions in whose `Lane` they are.
        max_waiting: How many may wait so; more have their timeout at once.
        keepalive_expiry_seconds: How long an idle connection is kept: by default less than the
            5 s after which common servers hang up.
    """
    context = verify or httpx.create_ssl_context()
    return _AiohttpTransport(
        (lambda: context) if isinstance(context, ssl.SSLContext) else context,
        proxy,
        max_connections=max_connections,
        max_waiting=max_waiting,
        expiry=keepalive_expiry_seconds,
    )


def open_session(*, verify: ssl.SSLContext, proxy: str | None = None) -> aiohttp.ClientSession:
    """Connections for a library that speaks aiohttp by itself; they read no environment."""
    return aiohttp.ClientSession(
        connector=_Connector(ssl=verify),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        proxy=proxy,
    )


class _AiohttpTransport(httpx.AsyncBaseTransport):
    def __init__(
        self,
        verify: Callable[[], ssl.SSLContext],
        proxy: Callable[[], str] | None,
        *,
        max_connections: int,
        max_waiting: int,
        expiry: float,
    ) -> None:
        self._verify = verify
        self._proxy = proxy
        # Not aiohttp's own limit, which cannot tell a full pool from a slow connect.
        self._pool = Pool(max_connections, max_waiting)
        self._reading: dict[_AnswerStream, Lane] = {}
        self._reusing = _open_session(
            _Connector(ssl=verify(), limit=0, keepalive_timeout=expiry, socket_factory=_open_socket)
        )
        self._fresh = _open_session(
            _Connector(ssl=verify(), limit=0, force_close=True, socket_factory=_open_socket)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        timeouts = request.extensions.get("timeout", {})
        lane = await self._pool.take(request, timeouts.get("pool"))
        try:
            answer = await self._send(request, timeouts)
        except BaseException as exc:
            self._pool.give_back(lane)
            if isinstance(exc, httpx.RequestError):
                exc.request = request
            raise
        stream = _AnswerStream(answer, self._ended)
        self._reading[stream] = lane
        return httpx.Response(
            answer.status,
            headers=answer.raw_headers,
            stream=stream,
            extensions={
                "http_version": b"HTTP/1.1",
                "reason_phrase": (answer.reason or "").encode(),
            },
            request=request,
        )

    async def _send(
        self, request: httpx.Request, timeouts: dict[str, float | None]
    ) -> aiohttp.ClientResponse:
        if request.method in _REPEATABLE and not _has_body(request):
            with suppress(_StaleConnectionError):
                return await self._attempt(self._reusing, request, timeouts)
        return await self._attempt(self._fresh, request, timeouts)

    async def _attempt(
        self,
        session: aiohttp.ClientSession,
        request: httpx.Request,
        timeouts: dict[str, float | None],
    ) -> aiohttp.ClientResponse:
        upload = None
        if _has_body(request):
            stream = cast("AsyncIterable[bytes]", request.stream)
            upload = Upload(stream, timeouts.get("write"))
        try:
            answer = await session.request(
                request.method,
                _url(str(request.url)),
                headers=_headers(request),
                data=upload,
                allow_redirects=False,
                # aiohttp reuses a connection only for the same settings.
                ssl=self._verify(),
                proxy=self._proxy() if self._proxy else None,
                timeout=_timeout(timeouts.get("connect"), timeouts.get("read")),
            )
        except BaseException as exc:
            failure = await upload.ended() if upload else None
            if failure is None or isinstance(exc, asyncio.CancelledError):
                if isinstance(exc, aiohttp.ClientError | ValueError):
                    raise _translated(exc) from exc
                raise
        else:
            try:
                if upload:
                    await upload.stop()
            except BaseException:
                answer.close()
                raise
            return answer
        raise failure

    def _ended(self, stream: "_AnswerStream") -> None:
        self._pool.give_back(self._reading.pop(stream))

    async def aclose(self) -> None:
        for stream in list(self._reading):  # aiohttp alone would leave their readers waiting
            await stream.aclose()
        await self._reusing.close()
        await self._fresh.close()


class _AnswerStream(httpx.AsyncByteStream):
    """An answer's body; its call counts as running until the end or `aclose()`."""

    def __init__(
        self, answer: aiohttp.ClientResponse, ended: Callable[["_AnswerStream"], None]
    ) -> None:
        self._answer = answer
        self._ended: Callable[[_AnswerStream], None] | None = ended
        self._lost: asyncio.Future[None] | None = None
        protocol = answer.connection.protocol if answer.connection else None
        framed = hdrs.CONTENT_LENGTH in answer.headers or hdrs.TRANSFER_ENCODING in answer.headers
        if protocol is not None and not framed:
            # Such a body ends with its connection, and aiohttp takes a reset for that end.
            self._lost = protocol.closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._answer.content.readany():
                yield chunk
            if self._lost and self._lost.done():
                self._lost.result()
        except aiohttp.ClientError as exc:
            raise _translated(exc) from exc
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        if self._ended is not None:
            self._answer.close()
            self._ended(self)
            self._ended = None


class _Connector(aiohttp.TCPConnector):
    """Connects, also through a proxy, whose refusals are told from all that comes later."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's parameter
    ) -> Any:  # noqa: ANN401 - aiohttp's own class
        if req.proxy is None:
            return await super().connect(req, traces, timeout)
        # Not chained: aiohttp's errors hold the proxy's address, and with it a password.
        try:
            return await super().connect(req, traces, timeout)
        except aiohttp.ClientHttpProxyError as exc:
            said = f"its proxy answered {exc.status}{_PROXY_WORDS.get(exc.status, '')}"
        except aiohttp.ClientProxyConnectionError as exc:
            word = (
                os.strerror(number).lower()
                if (number := exc.errno or 0) > 0
                else "connection failed"
            )
            said = f"its proxy cannot be reached ({word})"
        except aiohttp.ClientConnectorError:
            raise  # DNS, or the provider's certificate
        except (aiohttp.ClientError, OSError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            said = "its proxy broke the connection off"
        raise httpx.ProxyError(said)


def _open_session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=(
            hdrs.ACCEPT,
            hdrs.ACCEPT_ENCODING,
            hdrs.CONTENT_TYPE,
            hdrs.USER_AGENT,
        ),
        auto_decompress=False,
        read_bufsize=_READ_BUFFER_BYTES,
        max_line_size=_HEADER_LIMIT_BYTES,
        max_field_size=_HEADER_LIMIT_BYTES,
        middlewares=(_once,),
    )


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send once: aiohttp repeats idempotent requests after errors that it recognises as its own.

    It would take another kept connection for that, which may be as stale, and does it after failures
    of new ones, too.
    """
    opened: list[object] = []
    _opened.set(opened)
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError as exc:
        raise _translated(exc) from exc
    except _BROKEN as exc:
        raise (_translated(exc) if opened else _StaleConnectionError()) from exc
    except (aiohttp.ClientError, OSError, ValueError) as exc:
        raise _translated(exc) from exc


def _open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    # Connecting may run in tasks of its own, which have copies of the context but share the list.
    _opened.get().append(address)
    family, kind, protocol, _, _ = address
    return socket.socket(family, kind, protocol)


def _translated(exc: Exception) -> httpx.TransportError:
    for kind, error in _ERRORS:
        if isinstance(exc, kind):
            return error(str(exc))
    return httpx.ReadError(str(exc))


@lru_cache(maxsize=1024)
def _url(text: str) -> URL:
    return URL(text, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect, sock_read=read)


def _has_body(request: httpx.Request) -> bool:
    if isinstance(request.stream, httpx.ByteStream):
        return any(request.stream)
    length: str | None = request.headers.get("content-length")
    return length != "0"


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    return [
        (name.decode(), value.decode())
        for name, value in request.headers.raw
        if name.lower() != b"transfer-encoding"  # aiohttp adds it when there is no Content-Length
    ]
