"""The sandbox as a server: in the loop that is running, or in a thread of its own."""

import asyncio
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
import uvloop

from batchgate_sandbox.app import create_app
from batchgate_sandbox.pace import pace_of
from batchgate_sandbox.wire import SandboxProtocol

_LAST_MOMENT = 0.1


class SandboxServer:
    """A running sandbox, as an async context manager.

    ``listen`` is ``HOST:PORT``; port 0 takes a free one, and ``url`` tells which. ``step`` sets
    the length of a batch's steps in seconds instead of the speed's own. Without ``directory``
    files live in a temporary one, which is removed at the end.

    Raises:
        OSError: The address cannot be listened on; raised at once, not in ``__aenter__``.
        ValueError: There is no such speed, or ``listen`` is no address.
    """

    def __init__(
        self,
        *,
        listen: str = "127.0.0.1:0",
        speed: str = "fast",
        step: float | None = None,
        directory: Path | None = None,
    ) -> None:
        self._pace = pace_of(speed, step=step)
        self._directory = directory
        self._socket = _bind(listen)
        self._stack = AsyncExitStack()
        host, port = self._socket.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients."""
        return f"{self.url}/v1"

    @property
    def azure_endpoint(self) -> str:
        """The endpoint for Azure's dated editions."""
        return self.url

    @property
    def azure_v1_url(self) -> str:
        """The base URL for Azure's v1 edition."""
        return f"{self.url}/openai/v1"

    async def __aenter__(self) -> Self:
        """Start to serve."""
        async with AsyncExitStack() as stack:
            stack.callback(self._socket.close)
            directory = self._directory
            if directory is None:
                made = tempfile.TemporaryDirectory(prefix="batchgate-sandbox-")
                directory = Path(stack.enter_context(made))
            directory.mkdir(parents=True, exist_ok=True)
            closing = asyncio.Event()
            server = _Uvicorn(
                uvicorn.Config(
                    create_app(directory=directory, pace=self._pace, closing=closing),
                    http=SandboxProtocol,
                    ws="none",
                    lifespan="on",
                    log_config=None,
                    log_level="error",
                    access_log=False,
                    server_header=False,
                    # Without it a caller could give itself another address.
                    proxy_headers=False,
                    timeout_keep_alive=75,
                    timeout_graceful_shutdown=1,
                )
            )
            serving = asyncio.create_task(server.serve(sockets=[self._socket]))
            stack.push_async_callback(_stop, server, serving, closing)
            await server.ready.wait()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop within a moment, and remove what was temporary."""
        await self._stack.aclose()


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: they belong to the program, not to a server in it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Requests get a moment to be answered. One that waits for the rest of its body would
        # wait for ever: it is cut off instead.
        asyncio.get_running_loop().call_later(_LAST_MOMENT, self._cut_off)
        await super().shutdown(sockets)

    def _cut_off(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]  # same use, other type
        return nullcontext()


async def _stop(
    server: uvicorn.Server, serving: asyncio.Task[None], closing: asyncio.Event
) -> None:
    closing.set()
    server.should_exit = True
    await serving


def _bind(listen: str) -> socket.socket:
    host, separator, port = listen.rpartition(":")
    if not separator or not port.isdecimal():
        raise ValueError(f"listen must be HOST:PORT, not {listen!r}")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=2048)


@contextmanager
def sandbox_in_thread(
    *, speed: str = "fast", step: float | None = None, directory: Path | None = None
) -> Iterator[SandboxServer]:
    """A sandbox on a free port, served by a thread: for callers without a loop of their own."""
    server = SandboxServer(speed=speed, step=step, directory=directory)
    started: Future[Callable[[], object]] = Future()

    async def serve() -> None:
        done = asyncio.Event()
        async with server:
            started.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, done.set))
            await done.wait()

    def work() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serve())
        except OSError as exc:  # such as a directory that cannot be made
            started.set_exception(exc)

    thread = threading.Thread(target=work, name="batchgate-sandbox", daemon=True)
    thread.start()
    stop = started.result()
    try:
        yield server
    finally:
        stop()
        thread.join()
