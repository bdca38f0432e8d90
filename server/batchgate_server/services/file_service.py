"""FileService: uploads, downloads and everything between, for any provider."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from grpc.aio import ServicerContext

from batchgate.v1 import file_service_pb2 as pb
from batchgate.v1 import file_service_pb2_grpc
from batchgate_server.call import current_call
from batchgate_server.errors import CallerNotPermitted, InvalidField, InvalidJsonl
from batchgate_server.files.download import read_content
from batchgate_server.files.processing import processed_upload
from batchgate_server.files.upload import UploadContent, read_metadata
from batchgate_server.files.uploaded import uploaded
from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.providers.registry import ProviderRegistry
from batchgate_server.stream_end import confirm_end
from batchgate_server.translation.files import file_message, new_file
from batchgate_server.translation.identifiers import (
    checked_id,
    checked_word,
)
from batchgate_server.translation.page_tokens import page_size, page_token, read_page_token

BATCH = "batch"
DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE = 100, 1000
Context = ServicerContext[Any, Any]


class FileService(file_service_pb2_grpc.FileServiceServicer):
    """Translates each call into the chosen provider's."""

    def __init__(self, providers: ProviderRegistry) -> None:
        self._providers = providers

    async def UploadFile(
        self, request_iterator: AsyncIterator[pb.UploadFileRequest], context: Context
    ) -> pb.UploadFileResponse:
        """Upload while receiving; see `files.upload`."""
        metadata = await read_metadata(request_iterator)
        provider = self._providers.select(metadata.provider)
        content = UploadContent(
            request_iterator,
            metadata=metadata,
            limit=provider.upload_limit(metadata.purpose),
            limited_by=provider.name,
            confirm_end=confirm_end(context),
            checker=_checker(provider, metadata),
        )
        new = new_file(
            metadata,
            content=content,
            size_bytes=content.sent_size_bytes,
            lifetime=provider.file_lifetime(metadata.purpose),
        )
        if metadata.validate_only:
            await content.only_checked()
            return pb.UploadFileResponse(report=content.report())
        try:
            file = await uploaded(provider, new)
        except InvalidJsonl as exc:
            raise await content.all_faults() from exc
        if content.is_checked and (permitted := provider.permitted_models()) is not None:
            provider.note_checked(file.id, permitted)
        if metadata.wait_until_processed:
            file = await processed_upload(provider, file)
        return pb.UploadFileResponse(
            file=file_message(file, provider=provider.name), report=content.report()
        )

    async def GetFile(self, request: pb.GetFileRequest, context: Context) -> pb.GetFileResponse:
        """Get a file."""
        provider = self._providers.select(request.provider)
        file = await provider.get_file(checked_id("file_id", request.file_id))
        return pb.GetFileResponse(file=file_message(file, provider=provider.name))

    async def ListFiles(
        self, request: pb.ListFilesRequest, context: Context
    ) -> pb.ListFilesResponse:
        """List a page of files."""
        provider = self._providers.select(request.provider)
        purpose = checked_word("purpose", request.purpose) if request.purpose else ""
        if request.order not in pb.SortOrder.values():
            raise InvalidField("order", "is none of SortOrder")
        ascending = request.order == pb.SORT_ORDER_ASC
        scope = ("files", provider.name, purpose, "asc" if ascending else "desc")
        page = await provider.list_files(
            purpose=purpose,
            ascending=ascending,
            cursor=read_page_token(request.page_token, *scope),
            size=page_size(request.page_size, default=DEFAULT_PAGE_SIZE, largest=LARGEST_PAGE_SIZE),
        )
        return pb.ListFilesResponse(
            files=[file_message(file, provider=provider.name) for file in page.items],
            next_page_token=page_token(page.next, *scope),
        )

    async def DeleteFile(
        self, request: pb.DeleteFileRequest, context: Context
    ) -> pb.DeleteFileResponse:
        """Delete a file."""
        provider = self._providers.select(request.provider)
        deleted = await provider.delete_file(checked_id("file_id", request.file_id))
        return pb.DeleteFileResponse(file_id=request.file_id, deleted=deleted)

    async def DownloadFile(
        self, request: pb.DownloadFileRequest, context: Context
    ) -> AsyncIterator[pb.DownloadFileResponse]:
        """Stream a file's content."""
        provider = self._providers.select(request.provider)
        file_id = checked_id("file_id", request.file_id)
        for field in ("read_offset", "read_limit"):
            if getattr(request, field) < 0:
                raise InvalidField(field, "must not be negative")
        call = current_call()
        pieces = read_content(
            provider, file_id, offset=request.read_offset, limit=request.read_limit
        )
        # Closed here and now where the caller goes away, not when the collector comes by.
        async with aclosing(pieces):
            async for offset, chunk in pieces:
                call.count_sent(len(chunk))
                yield pb.DownloadFileResponse(chunk=chunk, offset=offset)


def _checker(provider: OpenAIProvider, metadata: pb.UploadFileMetadata) -> JsonlChecker | None:
    """What checks the lines of an upload: nothing, where it is off or no batch file."""
    check = metadata.jsonl_check
    if check not in pb.JsonlCheck.values():
        raise InvalidField("metadata.jsonl_check", "is none of JsonlCheck")
    # It stands in the message of each line that differs.
    endpoint = checked_word("metadata.endpoint", metadata.endpoint) if metadata.endpoint else ""
    if check == pb.JSONL_CHECK_UNSPECIFIED and metadata.purpose == BATCH:
        check = pb.JSONL_CHECK_STRICT
    if check != pb.JSONL_CHECK_STRICT:
        if metadata.purpose == BATCH and provider.permitted_models() is not None:
            raise CallerNotPermitted(
                f"{current_call().caller.name} may use but some models, so that lines have to be "
                "checked: leave metadata.jsonl_check out"
            )
        return None
    return JsonlChecker(provider.line_rules(endpoint))
