"""Microsoft Entra's token endpoint, and Azure's for managed identities, on this machine."""

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.secret_search import secret
from tests.upstream import listening


@dataclass
class TokenService:
    """Gives out `PREFIX-1`, `PREFIX-2` and so on, and remembers who asked how."""

    port: int = 0
    prefix: str = field(default_factory=lambda: uuid.uuid4().hex)
    lifetime_seconds: int = 3600
    answers: list[tuple[int, Any]] = field(default_factory=list)
    """Status and body to answer next, in place of a token; the last one stays."""
    given: int = 0
    requests: list[dict[str, str]] = field(default_factory=list)
    """The fields of each request, from its body or query, with `path` and lower-case headers."""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Answers wait for it."""

    @property
    def authority(self) -> str:
        return f"https://localhost:{self.port}"

    def token(self, number: int) -> str:
        """The token that was, or will be, given out as this one, from 1."""
        return secret(f"{self.prefix}-{number}")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (one.partition(":") for one in lines if one)
        }
        url = urlsplit(line.split(" ")[1])
        body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
        fields = dict(parse_qsl(url.query)) | dict(parse_qsl(body))
        self.requests.append({**headers, **fields, "path": url.path})
        await self.open.wait()
        status, answer = self._answer()
        content = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()

    def _answer(self) -> tuple[int, Any]:
        if self.answers:
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.given += 1
        return 200, {
            "access_token": self.token(self.given),
            "token_type": "Bearer",
            "expires_in": self.lifetime_seconds,
            "expires_on": str(int(time.time()) + self.lifetime_seconds),
            "resource": "https://cognitiveservices.azure.com",
        }


@asynccontextmanager
async def token_service(tls: ssl.SSLContext | None) -> AsyncIterator[TokenService]:
    """A service on this machine: Entra with TLS, that of managed identities without."""
    service = TokenService()
    service.open.set()
    async with listening(service.handle, tls) as port:
        service.port = port
        yield service
