"""The admin listener: HTTP without callers and without anything that can be changed by it."""

import ipaddress
import os
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from batchgate_server.admin.exposition import Processes, text_of
from batchgate_server.admin.page import rendered, style_hash
from batchgate_server.admin.state import Gathered
from batchgate_server.settings import ConfigurationError, Problem, Settings

UNIX = "unix:"
LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain"})
# No script at all, whatever a batch or a profile is called.
POLICY = "default-src 'none'; style-src '{}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "batchgate",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Source(Protocol):
    """Who knows what is to be told."""

    @property
    def settings(self) -> Settings:
        """Those in force."""

    async def gathered(self) -> Gathered:
        """All that is known now."""


class AdminServer:
    """Listens, and tells what its source knows."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._listen = source.settings.admin.listen or ""
        self._runner: web.AppRunner | None = None
        self.address = ""
        """Where it listens, once started; with the real port where 0 was asked for."""

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigurationError: the address cannot be listened on.
        """
        host, _, port = self._listen.rpartition(":")
        is_local = not (self._source.settings.admin.allow_remote or self._listen.startswith(UNIX))
        guards = [_told, _local_only] if is_local else [_told]
        app = web.Application(middlewares=[web.middleware(guard) for guard in guards])
        app.router.add_get("/", self._page)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        # Who asks is not logged: probes and scrapers ask every few seconds.
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        site: web.BaseSite = (
            web.UnixSite(runner, self._listen.removeprefix(UNIX))
            if self._listen.startswith(UNIX)
            else web.TCPSite(runner, host.strip("[]"), int(port))
        )
        try:
            await site.start()
        except OSError as exc:
            await runner.cleanup()
            # Not the error's own text: asyncio repeats the address in it. Names' errors are negative.
            known = (exc.errno or 0) > 0
            reason = os.strerror(exc.errno or 0) if known else "no address of this machine"
            message = f"cannot be listened on: {reason}"
            raise ConfigurationError([Problem("admin.listen", message)]) from None
        self._runner = runner
        (bound, *_) = runner.addresses
        self.address = self._listen if isinstance(bound, str) else f"{host}:{bound[1]}"

    async def aclose(self) -> None:
        """Listen no more."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _page(self, _request: web.Request) -> web.Response:
        page = rendered(await self._source.gathered(), self._source.settings)
        policy = {"Content-Security-Policy": POLICY.format(style_hash())}
        return web.Response(text=page, content_type="text/html", headers=policy)

    async def _metrics(self, request: web.Request) -> web.Response:
        processes = Processes(await self._source.gathered())
        body, media_type = text_of(processes, accept=request.headers.get("accept", ""))
        return web.Response(body=body, headers={"Content-Type": media_type})

    async def _live(self, _request: web.Request) -> web.Response:
        # That this is answered says it: one event loop does all.
        return web.Response(text="ok\n")

    async def _ready(self, _request: web.Request) -> web.Response:
        if (await self._source.gathered()).is_ready:
            return web.Response(text="ok\n")
        return web.Response(text="not serving, or shutting down\n", status=503)


async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """With the headers that all answers have, errors too."""
    try:
        response = await handler(request)
    except web.HTTPException as exc:
        exc.headers.update(HEADERS)
        raise
    response.headers.update(HEADERS)
    return response


async def _local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what a web page could ask for by a name of its own that leads here."""
    if not _is_local(request.host):
        raise web.HTTPForbidden(text="ask by the address, or as localhost\n")
    return await handler(request)


def _is_local(host: str) -> bool:
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    if name.lower() in LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
