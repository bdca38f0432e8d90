"""ProviderService: whom this gateway can call."""

import asyncio
from collections.abc import Sequence
from typing import Any

from grpc.aio import ServicerContext

from batchgate.v1 import provider_service_pb2 as pb
from batchgate.v1 import provider_service_pb2_grpc
from batchgate_server.call import current_call
from batchgate_server.providers.checking import check
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.rest.health import Health
from batchgate_server.translation.times import timestamp

STATES = {
    None: pb.PROVIDER_HEALTH_STATE_UNSPECIFIED,
    True: pb.PROVIDER_HEALTH_STATE_HEALTHY,
    False: pb.PROVIDER_HEALTH_STATE_UNHEALTHY,
}
Context = ServicerContext[Any, Any]


class ProviderService(provider_service_pb2_grpc.ProviderServiceServicer):
    """Tells of the profiles, without anything secret."""

    def __init__(self, providers: ProviderRegistry) -> None:
        self._providers = providers

    async def ListProviders(
        self, request: pb.ListProvidersRequest, context: Context
    ) -> pb.ListProvidersResponse:
        """List the profiles, asking each first if wished."""
        caller = current_call().caller
        usable = self._providers.usable_by(caller)
        unasked = _unasked(usable) if request.check_health else {}
        if request.check_health:
            await asyncio.gather(*(check(one) for one in usable if one.name not in unasked))
        default = self._providers.default_for(caller)
        return pb.ListProvidersResponse(
            providers=[
                _message(provider, default=default, unasked=unasked.get(provider.name, ""))
                for provider in usable
            ]
        )


def _unasked(providers: Sequence[OpenAIProvider]) -> dict[str, str]:
    """Whom a caller's health check does not ask, and why: its key goes to whom it is for alone."""
    own = [one.name for one in providers if one.profile.caller_credentials]
    if current_call().provider_key is None:
        why = "not asked: it is called with the caller's own key, and none came (x-provider-key)"
    elif len(own) > 1:
        why = f"not asked: the key (x-provider-key) may be for any of {', '.join(own)}"
    else:
        return {}
    return dict.fromkeys(own, why)


def _message(provider: OpenAIProvider, *, default: str, unasked: str) -> pb.Provider:
    return pb.Provider(
        name=provider.name,
        kind=provider.kind,
        is_default=provider.name == default,
        api_host=provider.api_host,
        api_version=provider.api_version,
        limits=pb.ProviderLimits(
            max_requests_per_batch=provider.max_requests_per_batch,
            max_batch_file_bytes=provider.upload_limit("batch"),
        ),
        health=_health(provider.rest.health, provider.rest.breaker.told(), unasked),
        model_aliases=provider.profile.models,
    )


def _health(health: Health, *more: str) -> pb.ProviderHealth:
    return pb.ProviderHealth(
        state=STATES[health.healthy],
        checked_at=timestamp(health.checked_at or None),
        detail="; ".join(filter(None, (health.detail, *more))),
    )
