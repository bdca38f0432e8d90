"""Which provider a request means."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import httpx

from batchgate_server.call import current_call
from batchgate_server.callers.caller import Caller
from batchgate_server.errors import (
    CallerNotPermitted,
    InvalidField,
    ProviderRequired,
    ProviderUnknown,
)
from batchgate_server.observer import SILENT, Observer
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

Profile = OpenAIProfile | AzureOpenAIProfile


class ProviderRegistry:
    """All profiles of the configuration, each with connections of its own."""

    def __init__(
        self,
        settings: Settings,
        *,
        open_transport: Callable[[Profile], httpx.AsyncBaseTransport],
        observer: Observer = SILENT,
    ) -> None:
        self._open_transport = open_transport
        self._observer = observer
        self._providers: dict[str, OpenAIProvider] = {}
        self._retired: dict[OpenAIProvider, asyncio.Task[None]] = {}
        self.replace(settings)

    def __iter__(self) -> Iterator[OpenAIProvider]:
        return iter(self._providers.values())

    def replace(self, settings: Settings) -> None:
        """Have the profiles of these settings from now on; those that are the same stay open.

        Calls that run go on with what they began with, and its connections are closed behind them.
        If a profile cannot be opened all stays as it was.
        """
        old = self._providers
        new: dict[str, OpenAIProvider] = {}
        try:
            for name, profile in settings.providers.items():
                known = old.get(name)
                new[name] = known if known and known.profile == profile else self._open(profile)
        except BaseException:
            self._retire_all(new, but=old)
            raise
        self._providers = new
        self._default = settings.default_provider
        self._retire_all(old, but=new)

    def select(self, name: str) -> OpenAIProvider:
        """The provider called `name`, or the default one where it is empty; never another."""
        call = current_call()
        name = name or self.default_for(call.caller)
        provider = self._providers.get(name)
        if provider is None or not call.caller.may_use(name):
            usable = ", ".join(sorted(one.name for one in self.usable_by(call.caller)))
            if not name:
                raise ProviderRequired(f"name a provider: one of {usable}")
            if provider is None:
                raise ProviderUnknown(f"no provider is named {name[:64]!r}; known: {usable}")
            raise CallerNotPermitted(
                f"{call.caller.name} may not use the provider {name}, but: {usable}"
            )
        call.provider = provider.name
        if call.provider_key and not provider.profile.caller_credentials:
            # Else its owner would believe to be the one who pays.
            raise InvalidField(
                "x-provider-key",
                f"means nothing to {provider.name}, which is called with the gateway's credential; "
                "leave it out, or set caller_credentials for that profile",
            )
        provider.users.add(call)
        return provider

    def find(self, name: str) -> OpenAIProvider:
        """The provider that is called `name` now, for one who has been let in to it before.

        The one who asks counts among its `users` by itself.
        """
        provider = self._providers.get(name)
        if provider is None:
            # Not a word of others: whom it reaches is not known here.
            raise ProviderUnknown(f"the configuration has no provider {name!r} any more")
        return provider

    def usable_by(self, caller: Caller) -> list[OpenAIProvider]:
        """The providers that a caller may use."""
        return [provider for provider in self if caller.may_use(provider.name)]

    def default_for(self, caller: Caller) -> str:
        """The name of the provider that a caller's requests mean where they name none; or empty."""
        if caller.default_provider:
            return caller.default_provider
        if self._default and caller.may_use(self._default):
            return self._default
        usable = self.usable_by(caller)
        return usable[0].name if len(usable) == 1 else ""

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(provider.aclose() for provider in (*self, *self._retired)))
        for task in self._retired.values():
            task.cancel()
        await asyncio.gather(*self._retired.values(), return_exceptions=True)

    def _open(self, profile: Profile) -> OpenAIProvider:
        kind = AzureOpenAIProvider if isinstance(profile, AzureOpenAIProfile) else OpenAIProvider
        return kind(profile, transport=self._open_transport(profile), observer=self._observer)

    def _retire_all(
        self, providers: Mapping[str, OpenAIProvider], *, but: Mapping[str, OpenAIProvider]
    ) -> None:
        for name, provider in providers.items():
            if but.get(name) is not provider:
                self._retired[provider] = asyncio.create_task(self._retire(provider))

    async def _retire(self, provider: OpenAIProvider) -> None:
        await provider.users.gone()
        # A creation may go on although its caller has gone.
        await provider.background.settle()
        await provider.aclose()
        del self._retired[provider]
