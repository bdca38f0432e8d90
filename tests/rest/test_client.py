"""REST calls: how requests are built, and what becomes of answers that cannot be read."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import httpx
import pytest

from batchgate_server.errors import (
    GatewayError,
    GatewayOverloaded,
    OutcomeUnknown,
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
)
from batchgate_server.rest.breaker import Breaker, Limits
from batchgate_server.rest.client import Endpoint, RestClient
from batchgate_server.rest.credential import Proof
from batchgate_server.rest.listing import MAX_OBJECT_BYTES
from batchgate_server.rest.models import RestBatch
from batchgate_server.rest.retrying import Retries
from batchgate_server.rest.secrets import cleaner

Handler = Callable[[httpx.Request], httpx.Response]
KEY = "sk-key-of-the-profile"
MEGABYTE = 1_000_000


class Key:
    """A credential that never changes."""

    of_callers = False

    def __init__(self, key: str) -> None:
        self._proof = Proof((("api-key", key),))

    async def proof(self) -> Proof:
        return self._proof

    async def refused(self, proof: Proof) -> Proof | None:
        return None

    def secrets(self) -> Sequence[str]:
        return []

    async def aclose(self) -> None: ...


def client(handler: Handler, **endpoint: Any) -> RestClient:
    given: dict[str, Any] = {
        "provider": "p",
        "base_url": "https://api.example/openai",
        "params": (("api-version", "2024-10-21"),),
        "headers": (),
        "credential": Key(KEY),
        "clean": cleaner([KEY]),
        "timeout_seconds": 5.0,
        "connect_timeout_seconds": 1.0,
        "idle_timeout_seconds": 1.0,
        "retries": Retries(most=0, first_seconds=0.002, cap_seconds=0.05),
        **endpoint,
    }
    return RestClient(
        Endpoint(**given),
        breaker=Breaker("p", Limits(failures=0, after_seconds=0, probe_seconds=1)),
        transport=httpx.MockTransport(handler),
        user_agent="batchgate/test",
    )


def answering(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers=headers)

    return answer


async def failed(handler: Handler, *, creates: bool = False) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await client(handler).call("GET", "/files", creates=creates)
    return caught.value


# --------------------------------------------------------------------------- requests


async def seen_request(**call: Any) -> httpx.Request:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    await client(answer).call("POST", "/batches", **call)
    (request,) = seen
    return request


async def test_a_request_has_its_headers_and_no_others() -> None:
    request = await seen_request(body=b"{}")
    assert dict(request.headers) == {
        "host": "api.example",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "batchgate/test",
        "api-key": KEY,
        "content-type": "application/json",
        "content-length": "2",
    }
    assert request.content == b"{}"


async def test_the_endpoints_parameters_follow_the_calls() -> None:
    request = await seen_request(params=[("after", "file-1"), ("purpose", "a&b=c d/é")])
    assert str(request.url) == (
        "https://api.example/openai/batches?after=file-1&purpose=a%26b%3Dc+d%2F%C3%A9"
        "&api-version=2024-10-21"
    )


async def test_without_parameters_there_is_no_question_mark() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://api.example/openai/files"
        return httpx.Response(200, json={"ok": True})

    assert await client(answer, params=()).call("GET", "/files") == {"ok": True}


async def test_credentials_are_asked_for_at_every_request() -> None:
    """So that a token may change between two calls."""
    tokens = iter(["one", "two"])
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={})

    class Tokens(Key):
        async def proof(self) -> Proof:
            return Proof((("authorization", f"Bearer {next(tokens)}"),))

    rest = client(answer, credential=Tokens(""))
    await rest.call("GET", "/files")
    await rest.call("GET", "/files")
    assert seen == ["Bearer one", "Bearer two"]


# --------------------------------------------------------------------------- unreadable answers

UNREADABLE: dict[str, bytes] = {
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "cut off": b'{"id": "file-1", "object": "fi',
    "two documents": b"{}{}",
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "text": b"upstream connect error",
    "a byte order mark alone": b"\xef\xbb\xbf",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_a_body_that_is_no_json_is_a_bad_response(kind: str) -> None:
    error = await failed(answering(UNREADABLE[kind]))
    assert isinstance(error, ProviderBadResponse)
    assert error.message == "p answered 200 with something that is not JSON"
    assert error.metadata["provider"] == "p"


@pytest.mark.parametrize("kind", UNREADABLE)
async def test_to_a_creation_it_leaves_the_outcome_unknown(kind: str) -> None:
    assert isinstance(await failed(answering(UNREADABLE[kind]), creates=True), OutcomeUnknown)


async def test_half_a_surrogate_pair_spoils_no_answer() -> None:
    """One batch with a label that was cut off in an emoji would hide all others of a list."""
    content = b'{"data": [{"id": "batch_1", "metadata": {"topic": "party \\ud83c"}}]}'
    answer: Any = await client(answering(content)).call("GET", "/batches")
    assert RestBatch.model_validate(answer["data"][0]).metadata == {"topic": "party ?"}


@pytest.mark.parametrize("content", [b"", b" \r\n"])
async def test_an_empty_success_is_none(content: bytes) -> None:
    assert await client(answering(content)).call("DELETE", "/files/file-1") is None


@pytest.mark.parametrize("creates", [True, False])
async def test_a_body_of_50_mb_is_not_read_to_its_end(creates: bool) -> None:
    handed_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_out
        yield b"["
        for _ in range(50):
            handed_out += MEGABYTE
            yield b" " * MEGABYTE

    error = await failed(answering(endless()), creates=creates)
    assert isinstance(error, OutcomeUnknown if creates else ProviderBadResponse)
    assert handed_out <= MAX_OBJECT_BYTES + MEGABYTE


async def test_an_error_of_50_mb_keeps_its_status() -> None:
    handed_out = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal handed_out
        for _ in range(800):
            handed_out += 65536
            yield b"x" * 65536

    error = await failed(answering(endless(), status=429, headers={"retry-after": "3"}))
    assert isinstance(error, ProviderRateLimited)
    assert error.retry_seconds == 3
    assert handed_out <= 4 * 65536


async def test_an_error_cut_off_keeps_its_status() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"error": {"mess'
        raise httpx.RemoteProtocolError("peer closed connection")

    assert isinstance(await failed(answering(broken(), status=429)), ProviderRateLimited)


async def test_a_success_cut_off_is_unavailable_or_unknown() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b'{"id": '
        raise httpx.RemoteProtocolError("peer closed connection")

    assert isinstance(await failed(answering(broken())), ProviderUnavailable)
    assert isinstance(await failed(answering(broken()), creates=True), OutcomeUnknown)


async def test_gzip_that_nobody_asked_for_is_unpacked() -> None:
    packed = gzip.compress(json.dumps({"id": "file-1"}).encode())
    rest = client(answering(packed, headers={"content-encoding": "gzip"}))
    assert await rest.call("GET", "/files/file-1") == {"id": "file-1"}


@pytest.mark.parametrize("creates", [True, False])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_what_is_called_gzip_and_is_none_is_a_bad_response(
    creates: bool, encoding: str
) -> None:
    handler = answering(b'{"id": "file-1"}', headers={"content-encoding": encoding})
    error = await failed(handler, creates=creates)
    assert isinstance(error, OutcomeUnknown if creates else ProviderBadResponse)


async def test_a_small_body_that_unpacks_to_50_mb_is_refused() -> None:
    packed = zlib.compress(b" " * 50 * MEGABYTE)
    assert len(packed) < 65536
    error = await failed(answering(packed, headers={"content-encoding": "deflate"}))
    assert isinstance(error, ProviderBadResponse)
    assert f"more than {MAX_OBJECT_BYTES} bytes" in error.message


@pytest.mark.parametrize("status", [100, 204, 301, 302, 304])
async def test_an_unexpected_status_is_a_bad_response(status: int) -> None:
    if status == 204:
        assert await client(answering(b"", status=status)).call("GET", "/files") is None
        return
    error = await failed(answering(b"", status=status))
    assert isinstance(error, ProviderBadResponse)
    assert str(status) in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirected_creation_has_created_nothing(status: int) -> None:
    error = await failed(
        answering(b"", status=status, headers={"location": "https://p.test/"}), creates=True
    )
    assert isinstance(error, OutcomeUnknown if status == 303 else ProviderBadResponse)
    assert str(status) in error.message


# --------------------------------------------------------------------------- failures on the way

SENT: dict[type[Exception], type[GatewayError]] = {
    httpx.ReadTimeout: ProviderTimeout,
    httpx.WriteTimeout: ProviderTimeout,
    TimeoutError: ProviderTimeout,
    httpx.ReadError: ProviderUnavailable,
    httpx.WriteError: ProviderUnavailable,
    httpx.RemoteProtocolError: ProviderUnavailable,
}
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout)


def raising(kind: type[Exception]) -> Handler:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind(f"the key was {KEY}")

    return answer


@pytest.mark.parametrize("kind", [*SENT, *NOT_SENT])
@pytest.mark.parametrize("creates", [True, False])
async def test_each_failure_on_the_way_has_its_error(kind: type[Exception], creates: bool) -> None:
    """A creation that may have been sent has an unknown outcome; one that was not has none."""
    error = await failed(raising(kind), creates=creates)
    if kind in NOT_SENT:
        assert type(error) is ProviderUnreachable
    else:
        assert type(error) is (OutcomeUnknown if creates else SENT[kind])
    assert error.metadata["provider"] == "p"
    assert KEY not in error.message


@pytest.mark.parametrize("creates", [True, False])
async def test_a_full_pool_says_so_and_nothing_against_the_provider(creates: bool) -> None:
    def full(request: httpx.Request) -> httpx.Response:
        raise httpx.PoolTimeout("full") from asyncio.CancelledError()

    rest = client(full)
    with pytest.raises(GatewayOverloaded, match=r"providers\.p\.max_connections") as caught:
        await rest.call("GET", "/files", creates=creates)
    assert caught.value.retry_seconds
    assert caught.value.metadata == {"provider": "p"}
    assert rest.health.healthy is None


async def test_a_defect_is_not_dressed_up_as_the_providers() -> None:
    with pytest.raises(RuntimeError):
        await client(raising(RuntimeError)).call("GET", "/files")


@pytest.mark.parametrize(
    ("handler", "healthy"),
    [
        (answering(b"{}"), True),
        (answering(b"{}", status=404), True),
        (answering(b"{}", status=429), True),
        (answering(b"{}", status=401), False),
        (answering(b"<html>"), False),
        (raising(httpx.ConnectError), False),
    ],
)
async def test_health_is_what_the_last_answer_told(handler: Handler, healthy: bool) -> None:
    """What is the caller's fault says nothing against the provider."""
    health = client(handler).health
    assert health.healthy is None
    rest = client(handler)
    with suppress(GatewayError):
        await rest.call("GET", "/files")
    assert rest.health.healthy is healthy
    assert bool(rest.health.detail) is not healthy
    assert KEY not in rest.health.detail
