"""Watching batches: all who watch one share its looks, and each gets the newest state.

A watcher costs a reference to a state, no task and no queue: a reader that is slow skips what was
in between. `batches.polling` looks at the batches, while anybody watches.
"""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from batchgate_server.batches.observation import TERMINAL, Observation, Watched, is_terminal
from batchgate_server.batches.polling import Poller
from batchgate_server.call import current_call
from batchgate_server.errors import (
    GatewayError,
    ProviderError,
    ProviderTimeout,
    ProviderUnknown,
    ServerDraining,
)
from batchgate_server.observer import SILENT, Observer
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.settings import WatchSettings

__all__ = [
    "TERMINAL",
    "Observation",
    "Subscription",
    "Watching",
    "is_terminal",
    "wait_until_terminal",
]


class Subscription:
    """One who watches a batch. Made by `Watching.watch`."""

    def __init__(self, watched: Watched, poller: Poller) -> None:
        self._watched = watched
        self._poller = poller
        self._given: Observation | None = None

    @property
    def provider(self) -> OpenAIProvider:
        """Who is asked now: a watch lasts, and the configuration may have another one since."""
        return self._poller.provider

    @property
    def latest(self) -> Observation | None:
        """The batch as it was when last seen; None before the first time."""
        return self._watched.latest

    @property
    def fault(self) -> GatewayError | None:
        """Why the last look at the batch failed, if it did; watching goes on."""
        return self._watched.fault and _own(self._watched.fault)

    async def next(self, timeout_seconds: float) -> Observation | None:
        """The newest state, if it differs from the one given last, or as soon as one does.

        It differs if the status, the counts or the file ids do. None after the timeout.

        Raises:
            GatewayError: the batch is not watched any more, since the provider does not know it,
                refuses the credential, or the like.
        """
        watched = self._watched
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    latest = watched.latest
                    if latest is not None and latest.differs(self._given):
                        self._given = latest
                        return latest
                    if watched.end is not None:
                        raise _own(watched.end)
                    await watched.news()
        except TimeoutError:
            return None


class Watching:
    """All watches of a gateway: a poller per provider profile, and per caller's own key."""

    def __init__(
        self,
        settings: WatchSettings,
        find: Callable[[str], OpenAIProvider],
        *,
        observer: Observer = SILENT,
    ) -> None:
        """`find` gives the provider that has a name now, or raises."""
        self._observer = observer
        self._settings = settings
        self._find = find
        self._pollers: dict[str, Poller] = {}
        self._closed = False

    @property
    def heartbeat_seconds(self) -> float:
        """After how long a silence a stream that watches should send something."""
        return self._settings.heartbeat_seconds

    def watch(self, provider: str, batch_id: str) -> AbstractAsyncContextManager[Subscription]:
        """Watch a batch of the provider with this name inside of this context.

        Meanwhile the call that watches is `endless`: a shutdown does not wait for it.

        Raises:
            ProviderUnknown: on entry, if the configuration has none of that name any more.
            ServerDraining: on entry, once the gateway shuts down.
        """
        return self._watch(provider, batch_id)

    @asynccontextmanager
    async def _watch(self, provider: str, batch_id: str) -> AsyncIterator[Subscription]:
        if self._closed:
            raise ServerDraining
        call = current_call()
        # Nobody looks with another's key, nor sees what that brought.
        key = f"{provider} {call.account}" if call.account else provider
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = Poller(
                self._find(provider),
                self._settings,
                provider_key=call.provider_key,
                observer=self._observer,
            )
        self._observer.batch_watched(provider, batch_id, caller=call.caller.name)
        watched = poller.join(batch_id)
        call.endless = True
        try:
            try:
                yield Subscription(watched, poller)
            finally:
                # The looks are no part of this call, but what it tells comes from them.
                if watched.latest is not None:
                    call.provider_request_id = watched.latest.provider_request_id
        except ProviderError as exc:
            call.provider_request_id = exc.metadata.get("provider_request_id", "")
            raise
        finally:
            call.endless = False
            poller.leave(watched)
            if call.account and not poller.is_needed and self._pollers.get(key) is poller:
                del self._pollers[key]  # and with it the key

    def watched(self) -> list[tuple[str, Watched]]:
        """What is watched now, each with the name of its provider."""
        return [
            (poller.provider.name, watched)
            for poller in self._pollers.values()
            for watched in poller.watched()
        ]

    def renew(self, settings: WatchSettings) -> None:
        """Watch by these settings, and ask those who have the providers' names now.

        The watches of a provider that is gone end with that error.
        """
        self._settings = settings
        for key, poller in list(self._pollers.items()):
            try:
                poller.renew(self._successor(poller.provider), settings)
            except ProviderUnknown as gone:
                del self._pollers[key]
                poller.end(gone)

    def _successor(self, old: OpenAIProvider) -> OpenAIProvider:
        new = self._find(old.name)
        if new.profile.caller_credentials != old.profile.caller_credentials:
            # Nobody's looks go on with the key of another.
            raise ProviderUnknown(f"{old.name} takes other credentials now; watch again")
        if new.profile.caller_credentials and new.api_origin != old.api_origin:
            # A key goes where its caller has sent it, and to nobody else.
            raise ProviderUnknown(
                f"{old.name} is {new.api_host} now; watch again if your key is for that"
            )
        return new

    async def aclose(self) -> None:
        """End all watches at once, and all polls; no watch begins any more."""
        self._closed = True
        # Those that end take themselves away meanwhile.
        for poller in list(self._pollers.values()):
            await poller.stop(ServerDraining())


async def wait_until_terminal(
    subscription: Subscription, *, timeout_seconds: float, first_seconds: float
) -> Observation:
    """The batch when it is terminal, or as it was last seen when the timeout is over.

    The first look at it is waited for until `first_seconds`, even if that is longer.

    Raises:
        GatewayError: it could not be looked at.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + timeout_seconds
    remaining = max(first_seconds, timeout_seconds)
    while remaining > 0:
        seen = await subscription.next(remaining)
        if seen is None or is_terminal(seen.batch):
            break
        remaining = end - clock()
    if subscription.latest is None:
        raise subscription.fault or ProviderTimeout("the provider did not answer in time")
    return subscription.latest


def _own(error: GatewayError) -> GatewayError:
    """A copy to raise: each that is raised gets a traceback of its own."""
    return copy.copy(error)
