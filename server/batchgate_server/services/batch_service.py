"""BatchService: batches of any provider."""

from typing import Any

from grpc.aio import ServicerContext

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import batch_service_pb2_grpc
from batchgate_server.batches.input_file import create_batch
from batchgate_server.batches.request_ids import Created, RequestIds, same_batch
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.translation.batches import batch_message, new_batch
from batchgate_server.translation.identifiers import checked_id
from batchgate_server.translation.page_tokens import page_size, page_token, read_page_token

DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 20, 100
Context = ServicerContext[Any, Any]


class BatchService(batch_service_pb2_grpc.BatchServiceServicer):
    """Translates each call into the chosen provider's."""

    def __init__(self, providers: ProviderRegistry) -> None:
        self._providers = providers
        self._request_ids = RequestIds()

    async def CreateBatch(
        self, request: pb.CreateBatchRequest, context: Context
    ) -> pb.CreateBatchResponse:
        """Create a batch, once its input file can be used."""
        provider = self._providers.select(request.provider)
        new = new_batch(request, output_lifetime=provider.profile.output_expires_after)

        async def create() -> Created:
            return await create_batch(provider, new), None

        batch, _ = await self._request_ids.once(
            provider,
            request.request_id,
            create,
            check=same_batch(endpoint=new.endpoint, input_file_id=new.input_file_id),
        )
        return pb.CreateBatchResponse(batch=batch_message(batch, provider=provider.name))

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.GetBatchResponse:
        """Get a batch."""
        provider = self._providers.select(request.provider)
        batch = await provider.get_batch(checked_id("batch_id", request.batch_id))
        return pb.GetBatchResponse(batch=batch_message(batch, provider=provider.name))

    async def ListBatches(
        self, request: pb.ListBatchesRequest, context: Context
    ) -> pb.ListBatchesResponse:
        """List a page of batches."""
        provider = self._providers.select(request.provider)
        scope = ("batches", provider.name)
        page = await provider.list_batches(
            cursor=read_page_token(request.page_token, *scope),
            size=page_size(request.page_size, default=DEFAULT_PAGE_SIZE, largest=LARGEST_PAGE_SIZE),
        )
        return pb.ListBatchesResponse(
            batches=[batch_message(batch, provider=provider.name) for batch in page.items],
            next_page_token=page_token(page.next, *scope),
        )

    async def CancelBatch(
        self, request: pb.CancelBatchRequest, context: Context
    ) -> pb.CancelBatchResponse:
        """Cancel a batch."""
        provider = self._providers.select(request.provider)
        batch = await provider.cancel_batch(checked_id("batch_id", request.batch_id))
        return pb.CancelBatchResponse(batch=batch_message(batch, provider=provider.name))
