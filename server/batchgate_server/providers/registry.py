"""Which provider a request means."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import httpx

from batchgate_server.call import current_call
from batchgate_server.errors import ProviderRequired, ProviderUnknown
from batchgate_server.providers.azure_openai import AzureOpenAIProvider
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

Profile = OpenAIProfile | AzureOpenAIProfile


class ProviderRegistry:
    """All profiles of the configuration, each with connections of its own."""

    def __init__(
        self, settings: Settings, *, open_transport: Callable[[Profile], httpx.AsyncBaseTransport]
    ) -> None:
        self._open_transport = open_transport
        self._providers: dict[str, OpenAIProvider] = {}
        self._retired: dict[OpenAIProvider, asyncio.Task[None]] = {}
        self.default: str | None = None
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
        self.default = settings.default_provider
        if not self.default and len(new) == 1:
            self.default = next(iter(new))
        self._retire_all(old, but=new)

    def select(self, name: str) -> OpenAIProvider:
        """The provider called `name`, or the default one where it is empty; never another."""
        if not name and not self.default:
            raise ProviderRequired(f"name a provider: one of {self._known()}")
        provider = self.find(name or self.default or "")
        call = current_call()
        call.provider = provider.name
        provider.users.add(call)
        return provider

    def find(self, name: str) -> OpenAIProvider:
        """The provider called `name`, for one who counts among its `users` by itself."""
        provider = self._providers.get(name)
        if provider is None:
            raise ProviderUnknown(f"no provider is named {name[:64]!r}; known: {self._known()}")
        return provider

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(provider.aclose() for provider in (*self, *self._retired)))
        for task in self._retired.values():
            task.cancel()
        await asyncio.gather(*self._retired.values(), return_exceptions=True)

    def _known(self) -> str:
        return ", ".join(sorted(self._providers))

    def _open(self, profile: Profile) -> OpenAIProvider:
        kind = AzureOpenAIProvider if isinstance(profile, AzureOpenAIProfile) else OpenAIProvider
        return kind(profile, transport=self._open_transport(profile))

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
