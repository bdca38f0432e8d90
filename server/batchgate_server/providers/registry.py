"""Which provider a request means."""

import asyncio
from collections.abc import Callable, Iterator

import httpx

from batchgate_server.call import current_call
from batchgate_server.errors import InvalidField, ProviderRequired, ProviderUnknown
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.credentials import key_required
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
        self.default = settings.default_provider
        if not self.default and len(self._providers) == 1:
            self.default = next(iter(self._providers))

    def __iter__(self) -> Iterator[OpenAIProvider]:
        return iter(self._providers.values())

    def select(self, name: str) -> OpenAIProvider:
        """The provider called `name`, or the default one where it is empty; never another."""
        known = ", ".join(sorted(self._providers))
        if not name and not self.default:
            raise ProviderRequired(f"name a provider: one of {known}")
        provider = self._providers.get(name or self.default or "")
        if provider is None:
            raise ProviderUnknown(f"no provider is named {name[:64]!r}; known: {known}")
        call = current_call()
        call.provider = provider.name
        if call.provider_key and not provider.profile.caller_credentials:
            # Else its owner would believe to be the one who pays.
            raise InvalidField(
                "x-provider-key",
                f"means nothing to {provider.name}, which is called with the gateway's credential; "
                "leave it out, or set caller_credentials for that profile",
            )
        if provider.profile.caller_credentials and not call.provider_key:
            raise key_required(provider.name)
        return provider

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(provider.aclose() for provider in self))
