"""Starts the workers, restarts those that die, and ends them all."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import structlog

from batchgate_server.addresses import ensure_free, reserved
from batchgate_server.batches.turns import shared_file
from batchgate_server.logs import configure_logs
from batchgate_server.process_limits import set_process_limits
from batchgate_server.settings import ConfigurationError, Problem, Settings, applied
from batchgate_server.stderr import STDERR
from batchgate_server.workers.messages import (
    Ask,
    Failed,
    Message,
    Ready,
    Reload,
    Start,
    Stop,
    Told,
    WorkersFailedError,
    packed,
    received,
)

if TYPE_CHECKING:
    from batchgate_server.admin.server import AdminServer

# A worker that dies is started again at once, but not again and again: a pause before the next one
# doubles until one has lived for a while.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONG_LIFE_SECONDS = 0.5, 30.0, 60.0
# What a worker takes at most to end, besides its delay and its grace.
ENDING_SECONDS = 20.0

log = structlog.stdlib.get_logger()


def supervise(
    settings: Settings, *, load: Callable[[], Settings], announce: Callable[[str], None]
) -> None:
    """Serve by `server.workers` processes until SIGTERM or SIGINT; see `__main__.serve`.

    Raises:
        ConfigurationError, OSError: the workers cannot start, and why.
        WorkersFailedError: they cannot, for another reason; or some were killed at the end.
    """
    with STDERR.running():
        configure_logs(settings.log)
        set_process_limits()
        asyncio.run(_Supervisor(settings, load).run(announce))


class _Supervisor:
    def __init__(self, settings: Settings, load: Callable[[], Settings]) -> None:
        self.settings = settings
        self.turns = shared_file()
        """By it the workers take turns."""
        self._load = load
        self._workers: list[_Worker] = []
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._asked = asyncio.Event()
        self._signal = signal.SIGTERM

    async def run(self, announce: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._asked.set)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        await ensure_free(self.settings.listen)
        with reserved(self.settings.listen) as address:
            count = self.settings.server.workers
            self._workers = [_Worker(number, address, self) for number in range(1, count + 1)]
            admin = await self._admin()
            keeping = [asyncio.create_task(worker.keep()) for worker in self._workers]
            reloads = asyncio.create_task(self._reload_when_asked())
            try:
                await self._serve(address, announce)
            finally:
                reloads.cancel()
                await self._end()
                await asyncio.wait([*keeping, reloads])
                if admin:
                    await admin.aclose()
        if self._hurry.is_set():
            # As a single process ends by a second signal.
            signal.signal(self._signal, signal.SIG_DFL)
            os.kill(os.getpid(), self._signal)
        if bad := [worker.number for worker in self._workers if worker.exit_code]:
            raise WorkersFailedError(f"some workers did not end well: {bad}")
        log.info("stopped")

    async def _admin(self) -> "AdminServer | None":
        if not self.settings.admin.listen:
            return None
        # Here, since a supervisor without it needs none of what these import.
        from batchgate_server.admin.server import AdminServer  # noqa: PLC0415
        from batchgate_server.workers.gathering import Gathering  # noqa: PLC0415

        gathering = Gathering(
            self._workers, settings=lambda: self.settings, stopping=self._stopping.is_set
        )
        admin = AdminServer(gathering)
        await admin.start()
        log.info("admin listener", address=admin.address)
        return admin

    async def _serve(self, address: str, announce: Callable[[str], None]) -> None:
        stopping: asyncio.Future[Any] = asyncio.create_task(self._stopping.wait())
        started: asyncio.Future[Any] = asyncio.gather(*(worker.started for worker in self._workers))
        try:
            await asyncio.wait([started, stopping], return_when=asyncio.FIRST_COMPLETED)
            if started.done():
                started.result()
                announce(address)
                await stopping
        finally:
            started.cancel()
            stopping.cancel()

    def _stop(self, number: signal.Signals) -> None:
        if self._stopping.is_set():
            self._signal = number
            self._hurry.set()
        self._stopping.set()

    async def _end(self) -> None:
        """Let all drain; those that take too long, or all if somebody is in a hurry, are killed."""
        self._stopping.set()
        for worker in self._workers:
            worker.tell(Stop())
        server = self.settings.server
        longest = server.drain_delay_seconds + server.shutdown_grace_seconds + ENDING_SECONDS
        ended: asyncio.Future[Any] = asyncio.gather(
            *(worker.ended.wait() for worker in self._workers)
        )
        hurry: asyncio.Future[Any] = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([ended, hurry], timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for worker in self._workers:
            worker.kill()
        await ended

    @property
    def stopping(self) -> asyncio.Event:
        return self._stopping

    async def _reload_when_asked(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            message = await self._read_again()
            # Also a refusal: a worker then opens its audit log anew, all the same.
            for worker in self._workers:
                worker.tell(message)

    async def _read_again(self) -> Reload:
        try:
            new = await asyncio.to_thread(self._load)
            self.settings = applied(self.settings, new)
        except ConfigurationError as exc:
            return Reload(None, exc.problems)
        except Exception:  # the outermost border of this task
            log.exception("internal error", method="reload")
            return Reload(None, (Problem("configuration", "internal error"),))
        configure_logs(self.settings.log)
        return Reload(new)


class _Worker:
    """One of the places, and the process that has it."""

    def __init__(self, number: int, address: str, supervisor: _Supervisor) -> None:
        self.number = number
        self.exit_code = 0
        self.starts = 0
        """How often its process was started."""
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when it serves for the first time, or cannot."""
        self.ended = asyncio.Event()
        """There is no process, and there will be none."""
        self._address = address
        self._supervisor = supervisor
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        # Those who wait for what it tells, in the order in which they asked.
        self._asking: deque[asyncio.Future[object]] = deque()

    async def ask(self) -> object:
        """What it tells of itself; None if there is no process, or it ends before."""
        if self._writer is None:
            return None
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._asking.append(answer)
        self.tell(Ask())
        return await answer

    def tell(self, message: Message) -> None:
        """Send a message, if there is a process."""
        if self._writer:
            self._writer.write(packed(message))

    def kill(self) -> None:
        """End the process at once, if there is one."""
        if self._process and self._process.returncode is None:
            self._process.kill()

    async def keep(self) -> None:
        """Have a process until the supervisor stops."""
        stopping = self._supervisor.stopping
        pause = 0.0
        try:
            while not stopping.is_set():
                began = monotonic()
                try:
                    exit_code = await self._run()
                except OSError as exc:
                    # No process could be made, as with too many open files: that may pass.
                    log.exception("a worker cannot be started", worker=self.number)
                    exit_code, problem = 1, exc.strerror or str(exc)
                else:
                    problem = f"exit code {exit_code}"
                if stopping.is_set():
                    # Only an end that was asked for is told by the supervisor's own.
                    self.exit_code = exit_code
                    break
                if not self.started.done():
                    self.started.set_exception(
                        WorkersFailedError(f"worker {self.number} ended at its start: {problem}")
                    )
                if monotonic() - began > LONG_LIFE_SECONDS:
                    pause = 0.0
                log.error(
                    "a worker has ended and is started again",
                    worker=self.number,
                    problem=problem,
                    pause_seconds=pause,
                )
                await _passed(stopping, pause)
                pause = min(max(2 * pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
        finally:
            self.ended.set()

    async def _run(self) -> int:
        """The exit code of a process, from its start to its end."""
        ours, theirs = socket.socketpair()
        turns = self._supervisor.turns
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "batchgate_server.workers", str(theirs.fileno())),
                pass_fds=[theirs.fileno(), turns],
                stdin=DEVNULL,
                # A signal from the terminal is for the supervisor, which passes it on.
                start_new_session=True,
            )
        self.starts += 1
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self.tell(Start(self.number, self._address, self._supervisor.settings, turns))
        if self._supervisor.stopping.is_set():
            self.tell(Stop())
        try:
            while message := await received(reader):
                self._heard(message)
            return await self._process.wait()
        finally:
            self._writer.close()
            self._writer = None
            while self._asking:
                self._answered(None)

    def _heard(self, message: Message) -> None:
        if isinstance(message, Told):
            self._answered(message.state)
        elif isinstance(message, Ready) and not self.started.done():
            self.started.set_result(None)
        elif isinstance(message, Failed):
            error = message.error()
            if not self.started.done():
                self.started.set_exception(error)
            else:
                log.error("a worker cannot start", worker=self.number, problem=str(error))

    def _answered(self, state: object) -> None:
        answer = self._asking.popleft()
        # Who asked may not have waited.
        if not answer.done():
            answer.set_result(state)


async def _passed(event: asyncio.Event, seconds: float) -> None:
    """Wait for the event, but not longer."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
