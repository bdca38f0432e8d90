"""grpc.health.v1: of the gateway (""), of each of its services, and of each profile (`provider/NAME`).

A service of our own, since in the library's all who watch a name go deaf when the first of them leaves.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeAlias

import structlog
from grpc import StatusCode
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1 import health_pb2_grpc

from batchgate_server.providers.checking import check
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.registry import ProviderRegistry

PROFILE = "provider/"
Status: TypeAlias = int
SERVING, NOT_SERVING = pb.HealthCheckResponse.SERVING, pb.HealthCheckResponse.NOT_SERVING
UNKNOWN, SERVICE_UNKNOWN = pb.HealthCheckResponse.UNKNOWN, pb.HealthCheckResponse.SERVICE_UNKNOWN
Context = ServicerContext[Any, Any]

log = structlog.stdlib.get_logger()


class HealthService(health_pb2_grpc.HealthServicer):
    """Answers everybody: it is asked before anything else, by who may have no credential."""

    def __init__(self, providers: ProviderRegistry, *, interval_seconds: float) -> None:
        """`interval_seconds` after a profile was seen it is asked; 0: it never is."""
        self.interval_seconds = interval_seconds
        self._providers = providers
        self._statuses: dict[str, Status] = {}
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self._asked: dict[OpenAIProvider, float] = {}
        self._checks: set[asyncio.Task[None]] = set()
        self._ended = False

    async def Check(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> pb.HealthCheckResponse:
        """How a service is now."""
        status = self._statuses.get(request.service, SERVICE_UNKNOWN)
        if status == SERVICE_UNKNOWN:
            await context.abort(StatusCode.NOT_FOUND, "no such service")
        return pb.HealthCheckResponse(status=status)

    async def Watch(
        self, request: pb.HealthCheckRequest, context: Context
    ) -> AsyncIterator[pb.HealthCheckResponse]:
        """How it is, now and whenever that changes."""
        told = None
        while True:
            status = self._statuses.get(request.service, SERVICE_UNKNOWN)
            news = self._news
            if status != told:
                yield pb.HealthCheckResponse(status=status)
                told = status
            await news.wait()

    def start(self, services: Iterable[str]) -> None:
        """Say that these are served, and look after the profiles from now on."""
        self._statuses |= dict.fromkeys(services, SERVING)
        self._publish()
        self._looking = asyncio.create_task(self._run())

    def renew(self, interval_seconds: float) -> None:
        """Look after the profiles as they are configured now."""
        self.interval_seconds = interval_seconds
        self._look.set()

    def end(self) -> None:
        """Say that nothing is served, from now on."""
        self._ended = True
        self._tell(dict.fromkeys(self._statuses, NOT_SERVING))

    async def aclose(self) -> None:
        """Look after nothing any more."""
        tasks = [task for task in (self._looking, *self._checks) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._look.clear()
            try:
                seconds = self._begin_checks()
                self._publish()
            except Exception:  # the outermost border of this task: nobody awaits it
                log.exception("internal error", method="health")
                seconds = self.interval_seconds or None
            try:
                async with asyncio.timeout(seconds):
                    await self._look.wait()
            except TimeoutError:
                continue

    def _begin_checks(self) -> float | None:
        """Ask those who are due; the seconds until the next one is, if one will be."""
        now, wall = asyncio.get_running_loop().time(), time.time()
        there = set(self._providers)
        self._asked = {one: at for one, at in self._asked.items() if one in there}
        waits = []
        for provider in self._providers:
            health = provider.rest.health
            health.changed = self._look.set
            # Without a key of its own the gateway cannot ask; calls tell how such a one is.
            if not self.interval_seconds or health.keys_of_callers:
                continue
            asked = now - self._asked.get(provider, -self.interval_seconds)
            # What calls have shown meanwhile need not be asked for. A clock that was set back lies.
            seen = wall - health.checked_at
            since = min(asked, seen) if seen >= 0 else asked
            if since >= self.interval_seconds:
                self._asked[provider] = now
                task = asyncio.create_task(check(provider))
                self._checks.add(task)
                task.add_done_callback(self._checks.discard)
                since = 0.0
            waits.append(self.interval_seconds - since)
        return min(waits, default=None)

    def _publish(self) -> None:
        statuses = {f"{PROFILE}{one.name}": _status(one) for one in self._providers}
        gone = {name for name in self._statuses if name.startswith(PROFILE)} - statuses.keys()
        if not self._ended:
            self._tell(statuses | dict.fromkeys(gone, SERVICE_UNKNOWN))

    def _tell(self, statuses: dict[str, Status]) -> None:
        if any(self._statuses.get(name) != status for name, status in statuses.items()):
            self._statuses |= statuses
            self._news.set()
            self._news = asyncio.Event()


def _status(provider: OpenAIProvider) -> Status:
    # While its breaker is open it is not healthy either: the same failures have made it so.
    healthy = provider.rest.health.healthy
    if healthy is None:
        return UNKNOWN
    return SERVING if healthy else NOT_SERVING
