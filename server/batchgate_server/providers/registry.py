"""Which provider a request means."""

import asyncio
from collections.abc import Callable, Iterator

import httpx

from batchgate_server.call import current_call
from batchgate_server.callers.caller import Caller
from batchgate_server.errors import CallerNotPermitted, ProviderRequired, ProviderUnknown
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

Profile = OpenAIProfile | AzureOpenAIProfile


class ProviderRegistry:
    """All profiles of the configuration, each with connections of its own."""

    def __init__(
        self, settings: Settings, *, open_transport: Callable[[Profile], httpx.AsyncBaseTransport]
    ) -> None:
        self._providers = {
            name: (
                AzureOpenAIProvider if isinstance(profile, AzureOpenAIProfile) else OpenAIProvider
            )(profile, transport=open_transport(profile))
            for name, profile in settings.providers.items()
        }
        self._default = settings.default_provider

    def __iter__(self) -> Iterator[OpenAIProvider]:
        return iter(self._providers.values())

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
        await asyncio.gather(*(provider.aclose() for provider in self))
