"""A batch tried again: a new batch of the lines that had no success, streamed past their ids."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace

import msgspec

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.asked import asked
from batchgate_server.batches.completeness import UNARY_PAUSES, ensure_results, lacks_output, polled
from batchgate_server.batches.outcomes import read_outcomes
from batchgate_server.batches.permitted import ensure_line
from batchgate_server.batches.request_ids import Created
from batchgate_server.batches.result_lines import MAX_LINE_BYTES, Head, Line, file_lines
from batchgate_server.batches.results import ensure_terminal
from batchgate_server.batches.uploaded import create_from_upload
from batchgate_server.call import current_call
from batchgate_server.errors import (
    FileTooLarge,
    InvalidField,
    ProviderBadResponse,
    ProviderConflict,
    ProviderNotFound,
)
from batchgate_server.operations import RETRY_OF_KEY, NewFile
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.steps import Steps, in_steps
from batchgate_server.translation.batches import PAIRS, retried_batch
from batchgate_server.translation.identifiers import checked_id
from batchgate_server.translation.results import read_line

CONTENT_TYPE = "application/jsonl"


class Retry:
    """One RetryBatch. Holds a mark of each line's id, never ids or bodies."""

    def __init__(self, provider: OpenAIProvider, request: pb.RetryBatchRequest) -> None:
        """Check what is asked for, as far as that is possible without the batch."""
        self._provider = provider
        self._request = request
        self._batch_id = checked_id("batch_id", request.batch_id)
        if request.scope not in pb.RetryScope.values():
            raise InvalidField("scope", "is none of RetryScope")
        self._failed_only = request.scope == pb.RETRY_SCOPE_FAILED_ONLY
        self._call = current_call()
        self._caller = self._call.caller.name
        self.asked = asked(request, caller=self._caller, differs=self._differs)
        self._limit = provider.upload_limit("batch")
        self._size = 0
        retried_batch(request, RestBatch(id=self._batch_id), output_lifetime=None)
        self._permitted = provider.permitted_models()
        self.line_count = 0
        """How many lines were passed on."""

    def _differs(self, batch: RestBatch) -> bool:
        """Whether a batch that was made under the same request_id is visibly no retry of this one."""
        # Where all pairs are in use there was no room to say so.
        unsaid = self._batch_id if len(batch.metadata) >= PAIRS else ""
        return batch.metadata.get(RETRY_OF_KEY, unsaid) != self._batch_id

    async def create(self) -> Created:
        """The new batch and its file.

        Raises:
            BatchNotFinished: the old one is not terminal.
            InvalidField: its labels leave no room for the request_id.
            ResultsMissing: what has succeeded is not known yet.
            ProviderConflict: nothing is left to retry, and nothing was created.
            ProviderNotFound: there is no such batch, or a file of it is gone.
        """
        batch = await self._provider.get_batch(self._batch_id)
        ensure_terminal(self._provider, batch, "retry it when it has ended")
        if not batch.input_file_id:
            raise ProviderNotFound(
                f"{batch.id} has no input file at {self._provider.name}",
                metadata={"provider": self._provider.name},
            )
        new = retried_batch(
            self._request,
            batch,
            caller=self._caller,
            output_lifetime=self._provider.profile.output_expires_after,
        )
        is_kept = await self._choice(await self._with_results(batch))
        async with aclosing(self._kept(batch, is_kept)) as pieces:
            # The upload begins when it is known that there is something to upload.
            first = await anext(pieces, None)
            if first is None:
                raise ProviderConflict(self._nothing(), metadata={"provider": self._provider.name})
            new = replace(new, endpoint=new.endpoint or _url(first))
            return await create_from_upload(
                self._provider,
                NewFile(
                    filename=f"retry-of-{self._batch_id}.jsonl",
                    purpose="batch",
                    content_type=CONTENT_TYPE,
                    content=_joined(first, pieces),
                    size_bytes=None,
                    expires_after_seconds=self._provider.file_lifetime("batch"),
                ),
                lambda file: replace(new, input_file_id=file.id, digest=self.asked.digest),
            )

    async def _with_results(self, batch: RestBatch) -> RestBatch:
        """The batch once its files are named; a moment's patience, since they may be late."""
        async with aclosing(polled(self._provider, batch, lacks_output, UNARY_PAUSES)) as polls:
            async for seen in polls:
                batch = seen
        return batch

    async def _choice(self, batch: RestBatch) -> Callable[[str], bool]:
        """Tells from its id whether a line is to be tried again."""
        outcomes = await read_outcomes(self._provider, batch)
        # What has succeeded and is not known of would be sent, and paid for, again.
        ensure_results(self._provider, batch, rows=outcomes.rows)
        if self._failed_only:
            failed = outcomes.failed
            return lambda custom_id: hash(custom_id) in failed
        succeeded = outcomes.succeeded
        return lambda custom_id: hash(custom_id) not in succeeded

    async def _kept(
        self, batch: RestBatch, is_kept: Callable[[str], bool]
    ) -> AsyncGenerator[bytes, None]:
        """The lines of the input file that are to be tried again, as they are."""
        blocks = file_lines(
            self._provider, batch.input_file_id, what=f"the input file of {self._batch_id}"
        )
        async with aclosing(blocks):
            async for block in blocks:
                lines = await in_steps(self._chosen(block, is_kept))
                if lines:
                    self.line_count += len(lines)
                    yield self._let_go(b"\n".join([*lines, b""]))

    def _chosen(self, block: Iterator[Line], is_kept: Callable[[str], bool]) -> Steps[list[bytes]]:
        chosen = []
        for content, number, _ in block:
            if isinstance(content, Head):
                raise ProviderBadResponse(
                    f"line {number} of the input file of {self._batch_id} is longer than "
                    f"{MAX_LINE_BYTES} bytes",
                    metadata={"provider": self._provider.name},
                )
            # Lines of an input file name their custom_id as those of an output file do.
            if is_kept(read_line(content).custom_id):
                if self._permitted is not None:
                    yield from ensure_line(
                        content, number, provider=self._provider, permitted=self._permitted
                    )
                chosen.append(content)
            yield
        return chosen

    def _let_go(self, piece: bytes) -> bytes:
        """A piece of the new file, which is the caller's as an upload is."""
        self._call.spend(len(piece))
        self._size += len(piece)
        if self._size > self._limit:
            raise FileTooLarge(
                f"the lines to retry are more than {self._limit} bytes, the limit of "
                f'{self._provider.name} and this caller for purpose "batch"',
                metadata={"provider": self._provider.name},
            )
        return piece

    def _nothing(self) -> str:
        if self._failed_only:
            return f"nothing is left to retry: no line of {self._batch_id} failed by itself"
        return f"nothing is left to retry: every line of {self._batch_id} has succeeded"


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _url(lines: bytes) -> str:
    """Where the first of some lines goes."""
    try:
        return msgspec.json.decode(lines[: lines.index(b"\n")], type=_Request).url
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


class _Request(msgspec.Struct):
    url: str = ""
