"""Tokens of Microsoft Entra ID, through `azure-identity`: kept while they are good, renewed early.

One request for a token at a time, however many calls wait for it; calls go on with the token there
is while it is valid. azure-identity keeps tokens by itself, also refused ones: so each request is
made by a credential of its own, and what is kept is kept here.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol

import structlog

from batchgate_server.errors import GatewayError
from batchgate_server.providers.credentials import bearer
from batchgate_server.rest.credential import Proof

# A token is renewed so long before its end, or when half of a short life is over.
EARLY_SECONDS = 300.0
# Not used any more so shortly before its end: a request takes its time.
MARGIN_SECONDS = 10.0
# Between two tries while the token there is still good, and between two tries after a 401.
AGAIN_SECONDS = 30.0
REFUSED_AGAIN_SECONDS = 10.0
REMEMBERED = 2
log = structlog.stdlib.get_logger()


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; times are unix seconds."""

    text: str
    expires_at: float
    renew_at: float

    def __repr__(self) -> str:
        """Without the token."""
        return f"Token(expires_at={self.expires_at})"


class TokenService(Protocol):
    """Where tokens come from."""

    async def token(self) -> Token:
        """A new token.

        Raises:
            GatewayError: there is none.
        """
        ...

    def secrets(self) -> Sequence[str]:
        """What proves to it who asks."""
        ...

    async def aclose(self) -> None:
        """Close its connections."""
        ...


class EntraCredential:
    """A token as each request's proof."""

    of_callers = False

    def __init__(
        self,
        provider: str,
        service: TokenService,
        *,
        clock: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` says whether a token is over, `ticks` how long it is since the last try."""
        self._provider = provider
        self._service = service
        self._clock = clock
        # Not the clock: set back by a day, it would let nobody try again for a day.
        self._ticks = ticks
        self._token: Token | None = None
        self._proof = Proof(())
        self._past: list[str] = []
        self._renewal: asyncio.Task[None] | None = None
        # Of `ticks`, which may begin anywhere.
        self._again_at = self._refused_again_at = -math.inf

    async def proof(self) -> Proof:
        """The token's header."""
        now = self._clock()
        token = self._token
        if token is not None and now < token.renew_at:
            return self._proof
        if token is None or now >= token.expires_at - MARGIN_SECONDS:
            await self._renewed()
        elif (ticks := self._ticks()) >= self._again_at:
            self._again_at = ticks + AGAIN_SECONDS
            self._renew()
        return self._proof

    async def refused(self, proof: Proof) -> Proof | None:
        """A new token, unless there is one already; not asked for at each of many refusals."""
        if proof is self._proof:
            ticks = self._ticks()
            if self._renewal is None and ticks < self._refused_again_at:
                return None
            self._refused_again_at = ticks + REFUSED_AGAIN_SECONDS
            await self._renewed()
        return self._proof if self._proof.headers != proof.headers else None

    def secrets(self) -> Sequence[str]:
        """The tokens of late, and what they were had with."""
        now = [self._token.text] if self._token else []
        return [*now, *self._past, *self._service.secrets()]

    async def aclose(self) -> None:
        """End what is under way, and close the connections."""
        if self._renewal is not None:
            self._renewal.cancel()
            with suppress(asyncio.CancelledError, GatewayError):
                await self._renewal
        await self._service.aclose()

    async def _renewed(self) -> None:
        # Whoever goes away leaves the others their token.
        await asyncio.shield(self._renew())

    def _renew(self) -> asyncio.Task[None]:
        if self._renewal is None:
            # A context of its own: it is nobody's call.
            self._renewal = asyncio.get_running_loop().create_task(self._fetch(), context=Context())
            self._renewal.add_done_callback(self._fetched)
        return self._renewal

    async def _fetch(self) -> None:
        token = await self._service.token()
        if self._token is not None and self._token.text == token.text:
            self._token = token
            return
        if self._token is not None:
            self._past = [self._token.text, *self._past][:REMEMBERED]
        self._token, self._proof = token, Proof((bearer(token.text),))

    def _fetched(self, renewal: asyncio.Task[None]) -> None:
        self._renewal = None
        if renewal.cancelled() or (error := renewal.exception()) is None:
            return
        # Perhaps nobody waits, since the token there is still good.
        log.warning(
            "no new token from Microsoft Entra",
            provider=self._provider,
            reason=getattr(error, "reason", type(error).__name__),
            message=getattr(error, "message", ""),
        )
