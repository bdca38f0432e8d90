"""REST calls to one provider: the border where HTTP and its errors become ours."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, TypeVar

import httpx

from batchgate_server.call import current_call
from batchgate_server.errors import (
    CallerLimit,
    GatewayError,
    GatewayOverloaded,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)
from batchgate_server.observer import SILENT, Exchange, Observer
from batchgate_server.outside import PROVIDER_REQUEST_ID, one_line, url_query
from batchgate_server.rest.answers import pieces
from batchgate_server.rest.breaker import Breaker
from batchgate_server.rest.credential import Credential, Proof
from batchgate_server.rest.failures import MAX_MESSAGE_BYTES, failure, is_redirect
from batchgate_server.rest.health import Health
from batchgate_server.rest.listing import (
    ONE,
    Bound,
    Listing,
    TooMuch,
    read_list,
    read_object,
)
from batchgate_server.rest.multipart import Multipart
from batchgate_server.rest.pool import LANE, ShareTimeout, lane
from batchgate_server.rest.retrying import Retries, is_worth_repeating, repeated

MAX_ERROR_BYTES = 64 * 1024
MAX_REDIRECTS = 5
REQUEST_ID_HEADERS = {b"x-request-id", b"apim-request-id"}
# Raised before a request could have been sent.
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
UNAUTHORIZED = 401
# Where a request keeps its proof, to know it again.
PROOF = "proof"

NO_BODY = httpx.ByteStream(b"")

Params = Sequence[tuple[str, str]]
Read = TypeVar("Read")
Reader = Callable[[bytes, Sequence[str]], Read]
"""Reads an answer's body; the secrets are not to be in what it gives."""
# Callers who wait for a batch ask for the same one again and again.
_parsed = lru_cache(maxsize=1024)(httpx.URL)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and as whom one provider profile is called."""

    provider: str
    """The profile's name, for errors."""
    base_url: str
    """Scheme, host and path prefix, without a slash at the end."""
    params: Params
    """Query parameters of every call, such as Azure OpenAI's `api-version`."""
    headers: Params
    """Tenancy headers of every call."""
    credential: Credential
    """What proves who calls, asked at every request, so that it can change."""
    clean: Callable[[str], str]
    """Takes the secrets of this profile, and of the call at hand, out of a text."""
    timeout_seconds: float
    """For a whole call that is no transfer, all attempts included."""
    connect_timeout_seconds: float
    idle_timeout_seconds: float
    """For a transfer that stalls: no byte moves for so long."""
    retries: Retries
    secrets: Callable[[], Sequence[str]] = tuple
    """Those of this profile, and of the call at hand."""


class RestClient:
    """Sends requests of one profile; every error that leaves it is a GatewayError."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        breaker: Breaker,
        transport: httpx.AsyncBaseTransport,
        user_agent: str,
        observer: Observer = SILENT,
    ) -> None:
        self.endpoint = endpoint
        self.breaker = breaker
        self.health = Health(keys_of_callers=endpoint.credential.of_callers)
        self._transport = transport
        self._observer = observer
        self._fixed_headers = [("accept-encoding", "identity"), ("user-agent", user_agent)]
        self._prepared: dict[str, tuple[Params, httpx.Headers]] = {}
        self._timeouts = {
            "connect": endpoint.connect_timeout_seconds,
            "pool": endpoint.connect_timeout_seconds,
            "read": endpoint.idle_timeout_seconds,
            "write": endpoint.idle_timeout_seconds,
        }

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Params = (),
        body: bytes | None = None,
        creates: bool = False,
    ) -> object:
        """The JSON of the answer to a call; None where a success has no body.

        With `creates`, any failure after which the thing may exist is an OutcomeUnknown. What
        passes is tried again, as the pace of the task at hand allows.
        """
        return await self._call(
            method, path, read_object, params=params, body=body, creates=creates, bound=ONE
        )

    async def call_list(self, path: str, *, params: Params, bound: Bound) -> Listing:
        """The items of a list, unread; what does not keep within `bound` is refused."""
        return await self._call("GET", path, read_list, params=params, bound=bound)

    async def _call(
        self,
        method: str,
        path: str,
        read: Reader[Read],
        *,
        params: Params,
        bound: Bound,
        body: bytes | None = None,
        creates: bool = False,
    ) -> Read:
        end = asyncio.get_running_loop().time() + self.endpoint.timeout_seconds

        async def attempt() -> Read:
            exchange = Exchange(self.endpoint.provider, method, path)
            with self.breaker.attempt(), self._exchanging(exchange, lambda: creates):
                # Not within the time for an answer: a token that takes too long leaves no doubt.
                request = await self._request(
                    method, path, params=params, accept="application/json", body=body
                )
                async with asyncio.timeout_at(end):
                    response = await self._send(request)
                    exchange.status = response.status_code
                    content = await self._content(response, lambda: creates, bound)
                    return self._read(response, content, read)

        return await repeated(
            attempt,
            retries=self.endpoint.retries,
            repeatable=lambda error: is_worth_repeating(error, creates=creates),
            end=end,
        )

    async def upload(
        self, path: str, body: Multipart, *, params: Params = (), length: int | None
    ) -> object:
        """Send a multipart body while it is made; the JSON of the answer.

        With a known `length` of the whole body it is announced, else the body is chunked. An error
        that the body raises comes out as it is, and leaves the body unfinished at the provider. An
        answer that comes before the body's end ends the call at once. Content is read once: tried
        again is only what fails before any of it was asked for.
        """

        async def attempt() -> object:
            exchange = Exchange(self.endpoint.provider, "POST", path)
            with (
                self.breaker.attempt(long=True),
                self._exchanging(exchange, lambda: body.completed),
            ):
                response = await self._send(await self._upload_request(path, body, params, length))
                exchange.status = response.status_code
                if response.is_success and not body.completed:
                    await response.aclose()
                    raise self._bad_response(
                        response, f"answered {response.status_code} before the upload was complete"
                    )
                content = await self._content(response, lambda: body.completed)
                return self._read(response, content, read_object)

        return await repeated(
            attempt,
            retries=self.endpoint.retries,
            repeatable=lambda error: not body.begun and is_worth_repeating(error, creates=True),
        )

    async def _upload_request(
        self, path: str, body: Multipart, params: Params, length: int | None
    ) -> httpx.Request:
        size = (
            {"transfer-encoding": "chunked"} if length is None else {"content-length": str(length)}
        )
        return await self._request(
            "POST",
            path,
            params=params,
            accept="application/json",
            body=body,
            headers=[("content-type", body.content_type), *size.items()],
            # The wait for the answer, which begins when the body has been sent.
            read_timeout_seconds=self.endpoint.timeout_seconds,
            is_transfer=True,
        )

    @asynccontextmanager
    async def download(
        self, path: str, *, params: Params = (), headers: Params = ()
    ) -> AsyncIterator[httpx.Response]:
        """A response whose body is to be read by `answers.pieces`, inside this context.

        Redirects are followed; the credential goes to the provider's own origin only. Tried again is
        what fails before the body.
        """
        end = asyncio.get_running_loop().time() + self.endpoint.timeout_seconds

        async def attempt() -> httpx.Response:
            exchange = Exchange(self.endpoint.provider, "GET", path)
            with self.breaker.attempt(), self._exchanging(exchange, lambda: False):
                async with asyncio.timeout_at(end):
                    return await self._opened(exchange, params, headers)

        response = await repeated(
            attempt,
            retries=self.endpoint.retries,
            repeatable=lambda error: is_worth_repeating(error, creates=False),
            end=end,
        )
        with self._errors(lambda: False):
            try:
                yield response
            finally:
                with suppress(httpx.HTTPError):
                    await response.aclose()

    async def _opened(self, exchange: Exchange, params: Params, headers: Params) -> httpx.Response:
        """The answer that has the content, behind all redirects."""
        request = await self._request(
            "GET",
            exchange.path,
            params=params,
            accept="application/binary",
            headers=headers,
            is_transfer=True,
        )
        own = request.url
        response = await self._send(request)
        for _ in range(MAX_REDIRECTS):
            if not response.has_redirect_location:
                break
            await response.aclose()
            response = await self._send(await self._redirected(response, own, request.url, headers))
            request = response.request
        exchange.status = response.status_code
        if not response.is_success:
            await self._content(response, lambda: False)
        return response

    async def _request(
        self,
        method: str,
        path: str,
        *,
        params: Params,
        accept: str,
        body: bytes | Multipart | None = None,
        headers: Params = (),
        read_timeout_seconds: float | None = None,
        is_transfer: bool = False,
    ) -> httpx.Request:
        query = url_query([*params, *self.endpoint.params])
        url = _parsed(f"{self.endpoint.base_url}{path}{query}")
        proof = await self.endpoint.credential.proof()
        all_headers = self._headers(accept, proof, host=url.netloc.decode())
        for name, value in headers:
            all_headers[name] = value
        if isinstance(body, bytes):
            all_headers["content-type"] = "application/json"
        return httpx.Request(
            method,
            url,
            headers=all_headers,
            content=body if isinstance(body, bytes) else None,
            # With a stream httpx leaves the headers as they are.
            stream=None if isinstance(body, bytes) else body or NO_BODY,
            extensions={
                "timeout": self._timeouts | {"read": read_timeout_seconds}
                if read_timeout_seconds
                else self._timeouts,
                PROOF: proof,
                LANE: lane(current_call().sharer, is_transfer=is_transfer),
            },
        )

    def _headers(self, accept: str, proof: Proof, *, host: str) -> httpx.Headers:
        """The headers that most requests share: httpx looks long at each, so they are kept."""
        shared = proof.headers if proof.keep else ()
        known = self._prepared.get(accept)
        if known is None or known[0] is not shared:
            items = [("host", host), ("accept", accept), *self._fixed_headers]
            items += [*shared, *self.endpoint.headers]
            known = self._prepared[accept] = (shared, httpx.Headers(items))
        headers = known[1].copy()
        if not proof.keep:
            headers.update(proof.headers)
        return headers

    async def _redirected(
        self, response: httpx.Response, own: httpx.URL, previous: httpx.URL, headers: Params
    ) -> httpx.Request:
        try:
            target = previous.join(response.headers["location"])
        except (httpx.InvalidURL, ValueError) as exc:
            raise self._bad_response(
                response, "redirected to something that is no address"
            ) from exc
        if target.scheme not in {"https", own.scheme} or not target.host:
            raise self._bad_response(response, "redirected to something that is no safe address")
        same = (target.scheme, target.host, target.port) == (own.scheme, own.host, own.port)
        proof = await self.endpoint.credential.proof() if same else None
        return httpx.Request(
            "GET",
            target,
            headers=[
                ("accept", "application/binary"),
                *self._fixed_headers,
                *((*proof.headers, *self.endpoint.headers) if proof else ()),
                *headers,
            ],
            extensions={
                "timeout": self._timeouts,
                PROOF: proof,
                LANE: lane(current_call().sharer, is_transfer=True),
            },
        )

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """The answer; after a 401 once more, if the credential is another one by now.

        A 401 means that nothing was done. An upload's body cannot be sent twice.
        """
        response = await self._attempt(request)
        proof: Proof | None = request.extensions.get(PROOF)
        if response.status_code != UNAUTHORIZED or proof is None:
            return response
        try:
            other = await self.endpoint.credential.refused(proof)
            if other is None or not isinstance(request.stream, httpx.ByteStream):
                return response
        except BaseException:
            await response.aclose()
            raise
        await response.aclose()
        request.headers.update(other.headers)
        return await self._attempt(request)

    async def _attempt(self, request: httpx.Request) -> httpx.Response:
        call = current_call()
        call.provider_request_id = ""
        response = await self._transport.handle_async_request(request)
        response.request = request
        for name, value in response.headers.raw:
            if name.lower() in REQUEST_ID_HEADERS and PROVIDER_REQUEST_ID.fullmatch(value):
                said = value.decode()
                # It goes everywhere; one that looks like a key is none.
                call.provider_request_id = said if self.endpoint.clean(said) == said else ""
        return response

    async def _content(
        self, response: httpx.Response, created: Callable[[], bool], bound: Bound = ONE
    ) -> bytes:
        """The answer's body within its bound, or the error that the answer is."""
        status = response.status_code
        body = bytearray()
        limit = bound.max_bytes if response.is_success else MAX_ERROR_BYTES
        try:
            async for piece in pieces(response):
                body += piece
                if len(body) > limit:
                    break
        except httpx.HTTPError:
            # An error's status says enough without its body.
            if response.is_success:
                raise
        finally:
            await response.aclose()
        if not response.is_success:
            raise failure(
                provider=self.endpoint.provider,
                status=status,
                headers=response.headers,
                body=bytes(body[:MAX_ERROR_BYTES]),
                clean=self.endpoint.clean,
                may_have_created=created(),
                credential="the caller's own key (x-provider-key)"
                if self.endpoint.credential.of_callers
                else "the gateway's credential",
            )
        if len(body) > limit:
            raise self._bad_response(
                response,
                f"answered {status} with more than {limit} bytes, where {bound.what} was asked for",
            )
        return bytes(body)

    def _read(self, response: httpx.Response, content: bytes, read: Reader[Read]) -> Read:
        try:
            return read(content, self.endpoint.secrets())
        except TooMuch as exc:
            raise self._bad_response(
                response, f"answered {response.status_code} with {exc}"
            ) from exc
        except (ValueError, RecursionError) as exc:
            raise self._bad_response(
                response, f"answered {response.status_code} with something that is not JSON"
            ) from exc

    def _bad_response(self, response: httpx.Response, said: str) -> ProviderBadResponse:
        return ProviderBadResponse(
            f"{self.endpoint.provider} {said}", metadata={"http_status": str(response.status_code)}
        )

    def _exchanging(
        self, exchange: Exchange, created: Callable[[], bool]
    ) -> AbstractContextManager[None]:
        """Around a request: its errors are ours, and who observes is told of it."""
        if self._observer is SILENT:
            return self._errors(created)
        return self._observed(exchange, created)

    @contextmanager
    def _observed(self, exchange: Exchange, created: Callable[[], bool]) -> Iterator[None]:
        self._observer.exchange_began(exchange)
        try:
            with self._errors(created):
                yield
        except GatewayError as exc:
            exchange.error = exc
            raise
        finally:
            self._observer.exchange_ended(exchange)

    @contextmanager
    def _errors(self, created: Callable[[], bool]) -> Iterator[None]:
        """Turns what the transport raises into GatewayErrors, and keeps the profile's health."""
        try:
            try:
                yield
            except httpx.PoolTimeout as exc:
                raise self._full(is_share=isinstance(exc, ShareTimeout)) from exc
            except NOT_SENT as exc:
                raise ProviderUnreachable(
                    f"{self.endpoint.provider} cannot be reached: {self._why(exc)}"
                ) from exc
            except (TimeoutError, httpx.TimeoutException) as exc:
                self._unclear(exc, ProviderTimeout, "did not answer in time", created=created())
            except httpx.DecodingError as exc:
                self._unclear(
                    exc,
                    ProviderBadResponse,
                    "answered with something that cannot be unpacked",
                    created=created(),
                )
            except httpx.HTTPError as exc:
                self._unclear(
                    exc, ProviderUnavailable, "broke the connection off", created=created()
                )
            except ProviderBadResponse as exc:
                if created() and not is_redirect(exc):
                    raise OutcomeUnknown(
                        f"{exc.message}: look before repeating it", metadata=exc.metadata
                    ) from exc
                raise
        except GatewayError as exc:
            self._note(exc)
            raise
        else:
            self.saw(None)

    def _full(self, *, is_share: bool) -> GatewayError:
        """The error for a request for which there is no connection, for all or for its caller."""
        name = self.endpoint.provider
        used = "in use, by calls under way and downloads that are not read"
        more = f"providers.{name}.max_connections"
        if is_share:
            share = CallerLimit(
                f"the caller's share of the gateway's connections to {name} is {used}; "
                f"limits.caller_share and {more} allow for more",
                retry_seconds=1.0,
            )
            share.limit = "caller_share"
            return share
        full = GatewayOverloaded(
            f"all of the gateway's connections to {name} are {used}; {more} allows for more"
        )
        full.limit = "max_connections"
        return full

    def saw(self, error: GatewayError | None) -> None:
        """Note how a request ended; those that it sends itself it has noted."""
        self.health.saw(error)
        self.breaker.saw(error)

    def unreadable(self, said: str, *, created: bool) -> GatewayError:
        """The error for an answer that is JSON, but not what was asked for."""
        error: GatewayError = ProviderBadResponse(f"{self.endpoint.provider} {said}")
        if created:
            error = OutcomeUnknown(f"{error.message}: look before repeating it")
        self._note(error)
        return error

    def _note(self, error: GatewayError) -> None:
        call = current_call()
        error.metadata.setdefault("provider", self.endpoint.provider)
        if call.provider_request_id:
            error.metadata.setdefault("provider_request_id", call.provider_request_id)
        self.saw(error)

    def _unclear(
        self, exc: Exception, kind: type[GatewayError], what: str, *, created: bool
    ) -> NoReturn:
        if created:
            raise OutcomeUnknown(
                f"{self.endpoint.provider} {what} after the request was sent: look before "
                "repeating it"
            ) from exc
        raise kind(f"{self.endpoint.provider} {what}") from exc

    def _why(self, exc: BaseException) -> str:
        """The system's word for a failed connection, from the innermost cause."""
        if isinstance(exc, httpx.ProxyError):
            return str(exc)  # the transport's own words
        while cause := exc.__cause__ or exc.__context__:
            exc = cause
        if isinstance(exc, OSError) and (exc.errno or 0) > 0 and not isinstance(exc, ssl.SSLError):
            # The event loop words it in its own way, with the address that we know already.
            return os.strerror(exc.errno or 0).lower()
        return one_line(self.endpoint.clean(str(exc)), size=MAX_MESSAGE_BYTES) or type(exc).__name__
