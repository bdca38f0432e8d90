"""The gateway as a process: settings, build, serve, drain."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog
import uvloop

from batchgate_server.application import Application
from batchgate_server.logs import configure_logs
from batchgate_server.process_limits import set_process_limits
from batchgate_server.reloading import Reloading
from batchgate_server.server_options import connection_limit
from batchgate_server.settings import ConfigurationError, Problem, Settings, shared_profiles
from batchgate_server.settings.tracing import EXPORTER, traces_exporter
from batchgate_server.stderr import STDERR
from batchgate_server.workers.place import Place

if TYPE_CHECKING:
    from batchgate_server.tracing import Tracing

LAST_SECONDS = 2.0


def serve(
    settings: Settings,
    *,
    load: Callable[[], Settings],
    announce: Callable[[str], None],
    place: Place | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called with the address when ready.

    With a `place` this process is one of several workers, and obeys its supervisor besides.

    On SIGHUP go on by the settings that `load` gives then.

    Raises:
        ConfigurationError: the audit log cannot be opened, or traces not be sent.
        OSError: the address cannot be listened on.
    """
    with STDERR.running():
        configure_logs(settings.log, worker=place.number if place else None)
        logging.captureWarnings(capture=True)
        _run_in_longer_slices()
        set_process_limits()
        uvloop.run(_serve(settings, load, announce, place))


def _run_in_longer_slices() -> None:
    """Ask Linux not to switch to gRPC's own threads at each of their wake-ups, several a call.

    On one core that is worth a tenth of the calls per second.
    """
    if hasattr(os, "SCHED_BATCH"):
        # A sandbox may forbid it; then all is as usual.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


async def _serve(
    settings: Settings,
    load: Callable[[], Settings],
    announce: Callable[[str], None],
    place: Place | None,
) -> None:
    log = structlog.stdlib.get_logger()
    application = Application(settings, place=place, tracing=_tracing())
    reloading = Reloading(application, load)
    loop = asyncio.get_running_loop()
    # What is asked before the start is done after it.
    loop.add_signal_handler(signal.SIGHUP, reloading.ask)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await application.start()
    # What is there now stays: without it each of the collector's full rounds looks through all of
    # the modules, and calls wait for that. To look for garbage first would take a tenth of the start,
    # and find little.
    gc.freeze()
    announce(application.address)
    if settings.server.insecure and not settings.tls:
        log.warning(
            "plaintext is allowed: whoever is on the way between callers and this address can read "
            "and change what is sent",
            address=application.address,
        )
    if (most := connection_limit(settings)) < settings.server.max_connections:
        log.warning(
            "the system allows too few open files for all connections", max_connections=most
        )
    # Of several workers one tells it.
    is_first = place is None or place.number == 1
    for name, callers in shared_profiles(settings).items() if is_first else ():
        log.warning(
            "callers share a profile: they see, cancel and pay for each other's batches and files "
            "there, as far as each may do so at all; give each team a profile of its own",
            provider=name,
            callers=callers,
        )
    log.info("serving", address=application.address, providers=list(settings.providers))
    if application.admin_address:
        log.info("admin listener", address=application.admin_address)
    reloads = asyncio.create_task(reloading.run())
    tasks = [reloads]
    if place:
        obeying = place.obey(reload=reloading.ask, stop=stopping.set, state=application.state)
        tasks.append(asyncio.create_task(obeying))
    await stopping.wait()
    if not place:
        # A second signal gets its usual, immediate effect. A worker may get one from its supervisor
        # and one from who ends all processes of a service; it is killed if somebody is in a hurry.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    # From here on SIGHUP changes nothing; how it drains is told until the end.
    reloads.cancel()
    server = application.settings.server
    log.info(
        "stopping",
        delay_seconds=server.drain_delay_seconds,
        grace_seconds=server.shutdown_grace_seconds,
    )
    await application.stop(delay_seconds=server.drain_delay_seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await _others_ended()
    log.info("stopped")


def _tracing() -> "Tracing | None":
    exporter = traces_exporter()
    if exporter is None:
        return None
    try:
        # Here, since it takes time to import, and is not there without the extra.
        from batchgate_server.tracing import Tracing  # noqa: PLC0415
    except ModuleNotFoundError:
        message = "traces need the extra otel: pip install 'batchgate[server,otel]'"
        raise ConfigurationError([Problem(EXPORTER, message)]) from None
    return Tracing(exporter)


async def _others_ended() -> None:
    """Wait until gRPC's tasks of calls that came last are over; the end of the loop would break them."""
    if others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others, timeout=LAST_SECONDS)
