"""Reading the configuration again while serving. A bad one changes nothing."""

import asyncio
from collections.abc import Callable

import structlog

from batchgate_server.application import Application
from batchgate_server.logs import configure_logs
from batchgate_server.providers.connections import USUAL_TLS
from batchgate_server.settings import Change, ConfigurationError, Settings

log = structlog.stdlib.get_logger()


class Reloading:
    """Reloads as often as it is asked to; what is asked meanwhile is done once, afterwards."""

    def __init__(self, application: Application, load: Callable[[], Settings]) -> None:
        self._application = application
        self._load = load
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Reload soon."""
        self._asked.set()

    async def run(self) -> None:
        """Reload whenever that is asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._reload()

    async def _reload(self) -> None:
        try:
            # Files may be slow, and calls go on meanwhile.
            settings = await asyncio.to_thread(self._load)
            await asyncio.to_thread(USUAL_TLS.read)
            changes = self._application.reload(settings)
        except ConfigurationError as exc:
            self._refused([str(problem) for problem in exc.problems])
        except Exception:  # the outermost border of this task
            log.exception("internal error", method="reload")
            self._refused(["internal error"])
        else:
            configure_logs(settings.log, worker=self._application.worker)
            self._applied(changes)

    def _refused(self, problems: list[str]) -> None:
        log.error("the new configuration is refused, the old one stays", problems=problems)
        # Who rotates logs asks for a reload too, and knows nothing of the configuration.
        self._application.audit.reopen()
        self._application.audit.write("reload", outcome="refused", problems=problems)

    def _applied(self, changes: list[Change]) -> None:
        late = [change for change in changes if change.needs_restart]
        log.info(
            "configuration reloaded",
            changes=[str(change) for change in changes if not change.needs_restart],
        )
        for change in late:
            log.warning("a changed setting needs a restart", change=str(change))
        self._application.audit.write(
            "reload", outcome="applied", changes=[_record(change) for change in changes]
        )


def _record(change: Change) -> dict[str, object]:
    record: dict[str, object] = {"setting": change.setting, "change": change.kind}
    if change.old is not None or change.new is not None:
        record |= {"old": change.old, "new": change.new}
    if change.needs_restart:
        record["needs_restart"] = True
    return record
