"""The composition root: the only file that knows all others."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from batchgate.v1 import (
    batch_service_pb2,
    batch_service_pb2_grpc,
    file_service_pb2,
    file_service_pb2_grpc,
    provider_service_pb2,
    provider_service_pb2_grpc,
)
from batchgate_server.addresses import UNIX, ensure_free
from batchgate_server.audit import AuditLog
from batchgate_server.batches.turns import Turns
from batchgate_server.batches.watching import Watching
from batchgate_server.call import Call
from batchgate_server.callers.permissions import rule_for
from batchgate_server.errors import CallerNotPermitted, CallerUnauthenticated, GatewayError
from batchgate_server.interceptors import chain
from batchgate_server.interceptors.admission import Admission
from batchgate_server.interceptors.auditing import Auditing
from batchgate_server.interceptors.authentication import Authentication
from batchgate_server.interceptors.draining import Draining
from batchgate_server.interceptors.limiting import Limiting
from batchgate_server.interceptors.measuring import Measuring
from batchgate_server.interceptors.overdue import Overdue
from batchgate_server.observer import SILENT, Observers
from batchgate_server.providers.connections import profile_transport
from batchgate_server.providers.registry import Profile, ProviderRegistry
from batchgate_server.server_options import server_options
from batchgate_server.services.batch_service import BatchService
from batchgate_server.services.file_service import FileService
from batchgate_server.services.health_service import HealthService
from batchgate_server.services.provider_service import ProviderService
from batchgate_server.settings import (
    Change,
    ConfigurationError,
    Settings,
    applied,
    differences,
)
from batchgate_server.tls import ServerCertificate
from batchgate_server.version import VERSION
from batchgate_server.workers.place import Place

if TYPE_CHECKING:
    # Imported where they are wanted: most of what they need is needed for nothing else.
    from batchgate_server.admin.server import AdminServer
    from batchgate_server.overview import Overview
    from batchgate_server.tracing import Tracing

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (file_service_pb2, "FileService"),
        (batch_service_pb2, "BatchService"),
        (provider_service_pb2, "ProviderService"),
    )
)
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Application:
    """A gateway: made inside a running event loop, started, and stopped once."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Callable[[Profile], httpx.AsyncBaseTransport] = profile_transport,
        place: Place | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        """Nothing listens yet. With a `place` it will share its address with others.

        It tells `tracing` of all, and ends it.

        Raises:
            ConfigurationError: the audit log cannot be opened.
        """
        self._settings = settings
        self._place = place
        self.audit = AuditLog(settings.audit)
        self.overview = _overview(settings, worker=self.worker)
        self._admin: AdminServer | None = None
        self._tracing = tracing
        observers = Observers(
            *(each for each in (self.overview and self.overview.recorder, tracing) if each)
        )
        observer = observers if observers.failures else SILENT
        self._providers = ProviderRegistry(settings, open_transport=transport, observer=observer)
        self._watching = Watching(settings.watch, self._providers.find, observer=observer)
        self._authentication = Authentication(settings.callers)
        self._limiting = Limiting(settings)
        self._draining = Draining()
        self._admission = Admission(settings.server.overload_seconds)
        self._overdue = Overdue(settings.server, self._draining)
        self._certificate = settings.tls and ServerCertificate(settings.tls)
        self._health = HealthService(
            self._providers, interval_seconds=settings.server.health_check_seconds
        )
        self._server = grpc.aio.server(
            interceptors=[
                chain(
                    auditing=Auditing(self.audit),
                    authentication=self._authentication,
                    limiting=self._limiting,
                    admission=self._admission,
                    overdue=self._overdue,
                    draining=self._draining,
                    measuring=None if observer is SILENT else Measuring(observer),
                )
            ],
            options=server_options(settings, shared=place is not None),
        )
        if self.overview:
            self.overview.watch(
                providers=self._providers,
                watching=self._watching,
                admission=self._admission,
                audit=self.audit,
                observers=observers,
            )
        file_service_pb2_grpc.add_FileServiceServicer_to_server(
            FileService(self._providers), self._server
        )
        batch_service_pb2_grpc.add_BatchServiceServicer_to_server(
            BatchService(self._providers, self._watching, Turns(place.turns if place else None)),
            self._server,
        )
        provider_service_pb2_grpc.add_ProviderServiceServicer_to_server(
            ProviderService(self._providers), self._server
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.server.reflection:
            names = (*SERVICES, HEALTH, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._server)
        self.address = ""
        """Where it listens, once started; with the real port where 0 was asked for."""

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            OSError: the address cannot be listened on.
            ConfigurationError: that of the admin listener cannot be.
        """
        listen = self._place.address if self._place else self._settings.listen
        try:
            if not self._place:
                await ensure_free(listen)
                self._admin = await _admin(self.overview)
            port = (
                self._server.add_secure_port(listen, self._certificate.credentials())
                if self._certificate
                else self._server.add_insecure_port(listen)
            )
        except (OSError, RuntimeError, ConfigurationError) as exc:
            await self._close()
            if not isinstance(exc, RuntimeError):
                raise
            raise OSError(f"cannot listen on {listen}") from exc
        self.address = listen if listen.startswith(UNIX) else f"{listen.rpartition(':')[0]}:{port}"
        await self._server.start()
        self._overdue.start()
        self.audit.write("start", address=self.address, version=VERSION, **self._who)
        self._health.start(("", *SERVICES))
        if self.overview:
            self.overview.is_ready = True

    def reload(self, new: Settings) -> list[Change]:
        """Serve by these settings from now on, and tell what differs. All of it, or nothing.

        Calls that run go on by the old ones. What needs a restart stays as it is.

        Raises:
            ConfigurationError: they cannot be served by; the old ones stay.
        """
        changes = differences(self._settings, new)
        settings = applied(self._settings, new)
        with self.audit.reopening(settings.audit):
            self._providers.replace(settings)
        self._authentication.replace(settings.callers)
        self._limiting.replace(settings)
        self._watching.renew(settings.watch)
        self._health.renew(settings.server.health_check_seconds)
        self._overdue.settings = settings.server
        self._admission.patience_seconds = settings.server.overload_seconds
        self._draining.cut_off(self._dismissal)
        self._settings = settings
        if self.overview:
            self.overview.settings = settings
        return changes

    def _dismissal(self, call: Call) -> GatewayError | None:
        """Why a call may not go on, if its caller may not make it any more: a watch lasts for long."""
        caller = self._authentication.successor(call)
        if caller is None:
            who = call.caller.name or "a caller without a credential"
            if call.caller.name and self._authentication.is_known(call.caller):
                who = f"this credential of {who}"
            return CallerUnauthenticated(f"{who} is not known here any more")
        try:
            rule_for(call.method, caller)
        except CallerNotPermitted as exc:
            return exc
        if call.provider and not caller.may_use(call.provider):
            return CallerNotPermitted(f"{caller.name} may not use {call.provider} any more")
        return None

    async def stop(self, grace_seconds: float | None = None, *, delay_seconds: float = 0.0) -> None:
        """Turn NOT_SERVING, end watches, let running calls end within the grace, and close.

        For `delay_seconds` all else is as before, until who asks for the health has seen it.
        """
        if grace_seconds is None:
            grace_seconds = self._settings.server.shutdown_grace_seconds
        self._health.end()
        if self.overview:
            self.overview.is_ready = False
        await asyncio.sleep(delay_seconds)
        await self._watching.aclose()
        await self._draining.drain(grace_seconds)
        await self._overdue.aclose()
        await self._server.stop(grace=1.0)
        self.audit.write("stop", **self._who)
        await self._close()

    async def _close(self) -> None:
        await self._health.aclose()
        await self._providers.aclose()
        if self._admin:
            await self._admin.aclose()
        if self._tracing:
            await self._tracing.aclose()
        self.audit.close()

    @property
    def admin_address(self) -> str:
        """Where the admin listener is, once started; empty if there is none."""
        return self._admin.address if self._admin else ""

    def state(self) -> object:
        """What a supervisor's admin listener tells of it: a `ProcessState`."""
        return self.overview.state() if self.overview else None

    @property
    def worker(self) -> int | None:
        """Which of several workers it is, if it is one."""
        return self._place.number if self._place else None

    @property
    def _who(self) -> dict[str, int]:
        return {"worker": self._place.number} if self._place else {}

    @property
    def settings(self) -> Settings:
        """What it serves by now."""
        return self._settings

    async def wait_closed(self) -> None:
        """Wait until the server has stopped."""
        await self._server.wait_for_termination()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop(grace_seconds=0)


def _overview(settings: Settings, *, worker: int | None) -> "Overview | None":
    if not settings.admin.listen:
        return None
    from batchgate_server.overview import Overview  # noqa: PLC0415

    return Overview(settings, worker=worker)


async def _admin(overview: "Overview | None") -> "AdminServer | None":
    if not overview:
        return None
    from batchgate_server.admin.server import AdminServer  # noqa: PLC0415

    admin = AdminServer(overview)
    await admin.start()
    return admin
