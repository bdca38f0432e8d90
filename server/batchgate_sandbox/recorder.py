"""What arrived: a record of every request, without secrets and without contents."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from batchgate_sandbox.credentials import key_of, scheme_of
from batchgate_sandbox.faults import same_key

MOST_RECORDS = 10_000
# Headers whose values are kept: none of them can carry a credential.
_SHOWN = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "openai-beta",
        "openai-organization",
        "openai-project",
        "range",
        "transfer-encoding",
        "user-agent",
        "x-client-request-id",
        "x-ms-client-request-id",
    }
)
STATE = "sandbox_record"


@dataclass(slots=True)
class Record:
    """One request. ``key`` serves to filter and is never shown.

    ``received_bytes`` are those of the body that the sandbox read; ``answered`` means to the
    end; ``aborted`` that the connection ended before that.
    """

    key: str
    method: str
    path: str
    query: str
    credential: str | None
    header_names: list[str]
    headers: dict[str, str]
    connection: int
    received_at: float
    received_bytes: int = 0
    body_complete: bool = False
    parts: list[dict[str, Any]] = field(default_factory=list)
    status: int | None = None
    sent_bytes: int = 0
    answered: bool = False
    aborted: bool = False
    fault: str | None = None

    def shown(self) -> dict[str, Any]:
        """The record as JSON."""
        names = (name for name in self.__slots__ if name != "key")
        return {name: getattr(self, name) for name in names}


class Recorder:
    """ASGI middleware that notes each request, also one that breaks off."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._records: deque[Record] = deque(maxlen=MOST_RECORDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the request and let it through; the sandbox's own paths are not noted."""
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox/"):
            await self._app(scope, receive, send)
            return
        record = _begin(scope)
        self._records.append(record)
        scope.setdefault("state", {})[STATE] = record

        async def noting_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                record.received_bytes += len(message.get("body", b""))
                record.body_complete = not message.get("more_body", False)
            elif not record.answered:
                record.aborted = True
            return message

        async def noting_send(message: Message) -> None:
            await send(message)
            if record.aborted:
                return
            if message["type"] == "http.response.start":
                record.status = message["status"]
            elif message["type"] == "http.response.body":
                record.sent_bytes += len(message.get("body", b""))
                record.answered = not message.get("more_body", False)

        await self._app(scope, noting_receive, noting_send)

    def records(self, key: str | None) -> list[Record]:
        """The requests with ``key``, or all, oldest first."""
        return [one for one in self._records if key is None or same_key(key, one.key)]

    def forget(self, key: str | None) -> int:
        """Forget the requests with ``key``, or all; how many there were."""
        gone = self.records(key)
        kept = [one for one in self._records if one not in gone]
        self._records = deque(kept, maxlen=MOST_RECORDS)
        return len(gone)


def _begin(scope: Scope) -> Record:
    names = [name.decode("latin-1") for name, _ in scope["headers"]]
    values = [value.decode("latin-1") for _, value in scope["headers"]]
    pairs = dict(zip(names, values, strict=True))
    return Record(
        key=key_of(pairs),
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        credential=scheme_of(pairs),
        header_names=names,
        headers={name: value for name, value in pairs.items() if name in _SHOWN},
        connection=scope["client"][1],
        received_at=time.time(),
    )
