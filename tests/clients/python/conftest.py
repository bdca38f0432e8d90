"""The async and the sync client behind one surface, so that each test is of both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest

from batchgate_client import AsyncClient, Client
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.process.conftest import serve, start

__all__ = ["serve", "start"]

_NOTHING = object()


class _Outcome:
    """What a method of the sync client gives, done in a thread when it is awaited or iterated."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.to_thread(self._call).__await__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        items: Iterator[Any] = await asyncio.to_thread(lambda: iter(self._call()))
        try:
            while (item := await asyncio.to_thread(next, items, _NOTHING)) is not _NOTHING:
                yield item
        finally:
            if close := getattr(items, "close", None):
                await asyncio.to_thread(close)


class SyncAsAsync:
    """A sync client that is used as an async one."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        if name == "using":
            return lambda **changes: SyncAsAsync(method(**changes))
        return lambda *args, **options: _Outcome(lambda: method(*args, **options))

    def results(self, *args: Any, **options: Any) -> Any:
        return _SyncResults(self._client.results(*args, **options))


class _SyncResults(_Outcome):
    def __init__(self, results: Any) -> None:
        super().__init__(lambda: results)
        self._results = results

    @property
    def resume_token(self) -> str:
        return str(self._results.resume_token)

    def messages(self) -> _Outcome:
        return _Outcome(self._results.messages)


Open = Callable[..., Any]


@pytest.fixture(params=["async", "sync"])
async def open_client(request: pytest.FixtureRequest) -> AsyncIterator[Open]:
    """A function that opens a client at an address, of both kinds in turn."""
    opened: list[Callable[[], Awaitable[None]]] = []

    def open_one(address: str, **settings: Any) -> Any:
        if request.param == "async":
            client = AsyncClient(address, **settings)
            opened.append(client.close)
            return client
        sync = Client(address, **settings)
        opened.append(lambda: asyncio.to_thread(sync.close))
        return SyncAsAsync(sync)

    yield open_one
    for close in opened:
        await close()


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    """A gateway that looks at watched batches often."""
    watch = {"first_poll_seconds": 0.02, "slowest_poll_seconds": 0.02}
    return await open_gateway(
        {"providers": profiles(account), "default_provider": "openai", "watch": watch}
    )


@pytest.fixture
def client(open_client: Open, gateway: Gateway) -> Any:
    """A client of a gateway whose default is the profile `openai`."""
    return open_client(gateway.address)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """Which client a test is of."""
    return str(request.node.callspec.params["open_client"])
