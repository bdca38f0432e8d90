"""A headless Chromium, driven by its own protocol."""

import asyncio
import base64
import itertools
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import eventually

OPTIONS = (
    *("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
LISTENING = re.compile(r"DevTools listening on ws://([^/]+)/")
ANSWER_SECONDS = 30.0


class Tab:
    """One page that is open."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.problems: list[str] = []
        """What the browser had to say against the page."""

    async def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                message = await self._socket.receive_json()
                if message.get("method") == "Log.entryAdded":
                    self.problems.append(message["params"]["entry"]["text"])
                if message.get("id") == number:
                    assert "error" not in message, message
                    answer: dict[str, Any] = message["result"]
                    return answer

    async def open(self, url: str, *, width: int, height: int) -> None:
        """Show a page in a window of this size, and wait until it is there."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < height,
        )
        await self.ask("Log.enable")
        await self.ask("Page.navigate", url=url)

        async def is_there() -> bool:
            return bool(await self.value("document.readyState === 'complete'"))

        await eventually(is_there)

    async def value(self, expression: str) -> Any:
        """What an expression gives in the page: it may, whatever the page itself may not."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def picture(self, path: Path) -> None:
        """Draw all of the page into a PNG."""
        answer = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@asynccontextmanager
async def tab(program: str, folder: Path) -> AsyncIterator[Tab]:
    """A browser with a profile of its own in `folder`, and its one tab."""
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        *(program, *OPTIONS, *sandbox, f"--user-data-dir={folder}", "about:blank"),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stderr
        async with asyncio.timeout(60):
            while not (found := LISTENING.search((await process.stderr.readline()).decode())):
                assert process.returncode is None, "chromium has ended"
        reading = asyncio.create_task(process.stderr.read())
        base = f"http://{found[1]}"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{base}/json/list") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=2**26
            ) as socket:
                yield Tab(socket)
        reading.cancel()
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
