"""Asking a provider how it is: a list of batches with one in it, which costs next to nothing."""

import asyncio

from batchgate_server.errors import GatewayError, ProviderTimeout
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.retrying import Pace, set_pace

# One provider that hangs must not hide how the others are.
CHECK_SECONDS = 10.0


async def check(provider: OpenAIProvider) -> None:
    """Ask once; what came of it is kept by `provider.rest.health`. In a task of its own."""
    # Not tried again: the answer tells how the provider is, not how it may be.
    set_pace(Pace.ONCE)
    with provider.users.one():
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await provider.list_batches(cursor=None, size=1)
        except GatewayError as exc:
            provider.rest.health.saw(exc, asked=True)
        except TimeoutError:
            provider.rest.saw(
                ProviderTimeout(f"{provider.name} did not answer within {CHECK_SECONDS:g} s")
            )
