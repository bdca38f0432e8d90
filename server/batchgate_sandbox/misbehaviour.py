"""Faults carried out: ASGI middleware that does to a request what a fault says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchgate_sandbox.credentials import key_of
from batchgate_sandbox.faults import Fault, Faults
from batchgate_sandbox.recorder import STATE
from batchgate_sandbox.wire import reset, transport_of

_EARLY_BYTES = 64 * 1024
_PIECE = 16 * 1024
_BODILESS = (204, 304)
_DEFAULT_STATUS = {"answer": 500, "early": 401}


class Misbehaviour:
    """Lets a request through, or the fault it meets have its way."""

    def __init__(self, app: ASGIApp, faults: Faults, closing: asyncio.Event) -> None:
        self._app = app
        self._faults = faults
        # Set at shutdown: what hangs or holds a connection lets go then.
        self._closing = closing
        self._kinds: dict[str, Callable[[Fault, Scope, Receive, Send], Awaitable[None]]] = {
            "answer": self._answer,
            "early": self._early,
            "reset": self._reset,
            "cut": self._cut,
            "hang": self._hang,
            "slow_read": self._slow_read,
            "slow_send": self._slow_send,
            "delay": self._delayed,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look for a fault; the sandbox's own paths have none."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        fault = self._faults.take(scope["method"], scope["path"], key_of(headers))
        if fault is None:
            await self._app(scope, receive, send)
            return
        scope["state"][STATE].fault = fault.kind
        await asyncio.sleep(fault.delay)
        await self._kinds[fault.kind](fault, scope, receive, send)

    async def _answer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await self._take_request(fault, scope, receive)
        start, body = _told(fault)
        await send(start)
        await send({"type": "http.response.body", "body": body})
        _reset_later(fault, scope)

    async def _early(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await _read(receive, _EARLY_BYTES if fault.read_bytes is None else fault.read_bytes)
        start, body = _told(fault)
        await send(start)
        # Left open on uvicorn's side, which would read and drop the rest after a finished
        # answer. The whole declared length is sent: for the client the answer is complete.
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await self._wait(fault.hold)
        await _close(scope, receive)

    async def _reset(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        await self._take_request(fault, scope, receive)
        reset(transport_of(scope))
        await _disconnected(receive)

    async def _cut(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        left = 0

        async def cut(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                length = int(dict(message["headers"]).get(b"content-length", 0))
                left = length // 2 if fault.send_bytes is None else fault.send_bytes
                await send(message)
            elif left or not message.get("more_body"):
                body = message.get("body", b"")[:left]
                left -= len(body)
                await send({**message, "body": body, "more_body": True})
                if not left:
                    transport_of(scope).close()

        if fault.status is None and fault.body is None:
            await self._app(scope, receive, cut)
        else:
            await _read(receive, None)
            start, body = _told(fault)
            await cut(start)
            await cut({"type": "http.response.body", "body": body})
        await _close(scope, receive)

    async def _hang(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        await self._take_request(fault, scope, receive)
        if fault.read_bytes is not None:
            # Watching for the caller's end would read on; so only time ends this.
            await self._wait(fault.hold)
            await _close(scope, receive)
            return
        gone = asyncio.ensure_future(_disconnected(receive))
        closing = asyncio.ensure_future(self._closing.wait())
        await asyncio.wait((gone, closing), return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        transport_of(scope).abort()
        await gone

    async def _slow_read(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        async def paced() -> Message:
            message = await receive()
            # The next piece is not asked for before this one's time is over, and until then
            # uvicorn does not read: the sender feels it once the sockets' buffers are full.
            await self._wait(len(message.get("body", b"")) / _pace(fault))
            return message

        await self._app(scope, paced, send)

    async def _slow_send(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        async def paced(message: Message) -> None:
            body = message.get("body", b"")
            while len(body) > _PIECE or (body and message.get("more_body")):
                await send({**message, "body": body[:_PIECE], "more_body": True})
                await self._wait(len(body[:_PIECE]) / _pace(fault))
                body = body[_PIECE:]
            if message["type"] == "http.response.body":
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, paced)

    async def _delayed(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        _reset_later(fault, scope)

    async def _take_request(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        """Read what the fault reads; with ``process`` do the work and keep its answer back."""
        if fault.process:
            await _kept_answer(self._app, scope, receive)
        else:
            await _read(receive, fault.read_bytes)

    async def _wait(self, seconds: float) -> None:
        """Sleep, but not past the server's end."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return


def _pace(fault: Fault) -> float:
    return fault.bytes_per_second or float("inf")


async def _read(receive: Receive, most: int | None) -> None:
    """Read the request's body, or about ``most`` bytes of it."""
    count, more = 0, True
    while more and (most is None or count < most):
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)


async def _kept_answer(app: ASGIApp, scope: Scope, receive: Receive) -> list[Message]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages


async def _close(scope: Scope, receive: Receive) -> None:
    transport_of(scope).close()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    """Wait for uvicorn to see that the connection is gone, so that it finds nothing amiss."""
    while (await receive())["type"] != "http.disconnect":
        continue


def _reset_later(fault: Fault, scope: Scope) -> None:
    if fault.reset_after is not None:
        loop = asyncio.get_running_loop()
        loop.call_later(fault.reset_after, reset, transport_of(scope))


def _told(fault: Fault) -> tuple[Message, bytes]:
    """The answer that the fault describes."""
    status = fault.status or _DEFAULT_STATUS.get(fault.kind, 200)
    headers = {name.lower(): value for name, value in fault.headers.items()}
    body = _encoded(fault.body, status)
    if not isinstance(fault.body, str):
        headers.setdefault("content-type", "application/json")
    headers.setdefault("content-length", str(len(body)))
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": pairs}, body


def _encoded(body: Any, status: int) -> bytes:  # noqa: ANN401 - JSON is any value
    """A string goes as it is, all else as JSON; without a body, one that names the status."""
    if isinstance(body, str):
        return body.encode()
    if body is None and status in _BODILESS:
        return b""
    if body is None:
        message = "The sandbox was asked to answer so."
        body = {
            "error": {
                "message": message,
                "type": "sandbox_fault",
                "param": None,
                "code": str(status),
            }
        }
    return json.dumps(body).encode()
