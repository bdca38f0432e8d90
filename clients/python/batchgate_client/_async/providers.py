"""Which providers can be called, and whether the gateway itself can be."""

from collections.abc import Sequence

from grpc_health.v1 import health_pb2

from batchgate.v1 import provider_service_pb2 as pb
from batchgate_client._async.calls import AsyncCalls


class AsyncProviderCalls(AsyncCalls):
    """ProviderService, and gRPC's own health service."""

    async def list_providers(
        self, *, check_health: bool = False, timeout: float | None = None
    ) -> Sequence[pb.Provider]:
        """The profiles that the caller may use; with `check_health` each provider is asked now."""
        request = pb.ListProvidersRequest(check_health=check_health)
        response = await self._unary(
            self.providers.ListProviders, request, timeout=timeout, repeatable=True
        )
        return response.providers

    async def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Whether the gateway, or one service of it, serves.

        Raises:
            BatchgateError: NOT_FOUND where there is no such service; GatewayUnreachable.
        """
        check = self._channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        request = health_pb2.HealthCheckRequest(service=service)
        response = await self._unary(check, request, timeout=timeout)
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)
