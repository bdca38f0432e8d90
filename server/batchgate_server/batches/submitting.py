"""Rows of a batch as they arrive: made into JSONL, checked, and let go while more come."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from batchgate.v1 import batch_service_pb2 as pb
from batchgate.v1 import file_service_pb2
from batchgate_server.batches.asked import Asked
from batchgate_server.batches.uploaded import create_from_upload
from batchgate_server.call import current_call
from batchgate_server.errors import FileTooLarge, InvalidJsonl, UploadProtocol, Violation
from batchgate_server.jsonl.checker import LONGEST_NAME
from batchgate_server.jsonl.issues import MISSING, Issue, streaming
from batchgate_server.jsonl.model_names import AMBIGUOUS, NOT_ALLOWED, is_ambiguous, name_fault
from batchgate_server.jsonl.rules import formed
from batchgate_server.operations import NewBatch, NewFile
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch, RestFile
from batchgate_server.steps import Steps, in_steps
from batchgate_server.translation.identifiers import checked_filename
from batchgate_server.translation.jsonl import issue_message
from batchgate_server.translation.rows import Line, RowFault, RowWriter
from batchgate_server.translation.times import whole_seconds

DEFAULT_FILENAME = "batch.jsonl"
MAX_FAULTS = 100
# Rows of small messages go on together.
PIECE = 64 * 1024


async def read_metadata(messages: AsyncIterator[pb.SubmitBatchRequest]) -> pb.SubmitBatchMetadata:
    """The first message, which must carry metadata."""
    first = await anext(messages, None)
    if first is None:
        raise UploadProtocol("the stream ended without a message; the first must carry metadata")
    if first.WhichOneof("payload") != "metadata":
        raise UploadProtocol("the first message must carry metadata, not lines")
    return first.metadata


async def submit(
    provider: OpenAIProvider,
    metadata: pb.SubmitBatchMetadata,
    *,
    rows: "Rows",
    new: NewBatch,
    asked: Asked,
) -> tuple[RestBatch, RestFile]:
    """Upload the rows and create the batch; `new` does not know its input file and digest yet."""
    lifetime = (
        whole_seconds("metadata.input_expires_after", metadata.input_expires_after)
        if metadata.HasField("input_expires_after")
        else provider.file_lifetime("batch")
    )
    provider.check_expiry("metadata.input_expires_after", lifetime)
    provider.check_expiry("metadata.output_expires_after", new.output_expires_after_seconds)
    file = NewFile(
        filename=checked_filename("metadata.filename", metadata.filename or DEFAULT_FILENAME),
        purpose="batch",
        content_type="application/jsonl",
        content=rows,
        size_bytes=None,
        expires_after_seconds=lifetime,
    )
    try:
        return await create_from_upload(
            provider,
            file,
            lambda uploaded: replace(new, input_file_id=uploaded.id, digest=asked.digest),
        )
    except InvalidJsonl as exc:
        # The upload was cut off at the first fault; the rest of the stream may have more.
        raise await rows.all_faults() from exc


class Rows:
    """The rows of a batch as a file, to be read once.

    Reading raises a GatewayError as soon as something is wrong, so that the provider gets no file;
    after an InvalidJsonl `all_faults` reads on for more of them.
    """

    def __init__(
        self,
        messages: AsyncIterator[pb.SubmitBatchRequest],
        *,
        provider: OpenAIProvider,
        endpoint: str,
        model: str,
        confirm_end: Callable[[], Awaitable[None]],
        keeps_digest: bool = False,
    ) -> None:
        """`confirm_end` raises unless the caller ended the stream on purpose.

        `keeps_digest`: there will be a `digest` of the rows as they came.
        `model` is for rows without one; both it and `endpoint` are checked already.
        """
        self._messages = messages
        self._provider = provider
        self._endpoint = endpoint
        self._rules = rules = provider.line_rules(endpoint)
        self._writer = RowWriter(
            endpoint=formed(endpoint, rules.url_prefix), model=model, models=rules.models
        )
        self._confirm_end = confirm_end
        self._call = current_call()
        self._limit = provider.upload_limit("batch")
        self._digest = hashlib.sha256()
        self._asked = hashlib.sha256() if keeps_digest else None
        self.ended = False
        """Whether the caller's stream was read to its end."""
        self._custom_ids: set[bytes] = set()
        self._models: dict[str, None] = {}
        self._sent_model = ""
        self._rewritten = 0
        self._faults: list[Violation] = []
        self._warnings: list[Issue] = []
        self._made_bytes = 0
        self._rows = 0
        self._received_bytes = 0
        self._sent_bytes = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The file in pieces."""
        pieces: list[bytes] = []
        size = 0
        async for message in self._messages:
            lines = await in_steps(self._lines(message))
            if self._faults:
                raise self._invalid()
            pieces += lines
            size += sum(map(len, lines))
            if size >= PIECE:
                yield self._let_go(pieces, size)
                pieces, size = [], 0
        await self._end()
        if not self._rows:
            raise UploadProtocol("no row followed the metadata; a batch has at least one")
        if pieces:
            yield self._let_go(pieces, size)

    async def all_faults(self) -> InvalidJsonl:
        """The error that names the faults of the rows that are still to come, too."""
        async for message in self._messages:
            if len(self._faults) >= MAX_FAULTS or self._too_many():
                break
            await in_steps(self._lines(message))
        return self._invalid()

    async def read_out(self) -> None:
        """Read what is left, without looking at the rows: only `digest` is wanted of them.

        More rows than a batch can have are not waited for.
        """
        if self.ended:
            return
        async for message in self._messages:
            self._received(message)
            self._rows += len(message.lines.lines)
            if self._too_many():
                return
        await self._end()

    def digest(self) -> bytes:
        """A digest of the rows that were read, as the caller sent them, in however many messages."""
        return self._asked.digest() if self._asked else b""

    def report(self) -> file_service_pb2.UploadReport:
        """What came, and what was made of it; the digest is that of the file."""
        return file_service_pb2.UploadReport(
            received_bytes=self._received_bytes,
            sent_bytes=self._sent_bytes,
            sha256=self._digest.hexdigest(),
            line_count=self._rows,
            models=self._models,
            urls=[self._endpoint],
            rewritten_lines=self._rewritten,
            warnings=map(issue_message, self._warnings),
        )

    def _lines(self, message: pb.SubmitBatchRequest) -> Steps[list[bytes]]:
        """The lines of a message; its faults are remembered."""
        self._received(message)
        lines: list[bytes] = []
        for row in message.lines.lines:
            if len(self._faults) >= MAX_FAULTS or self._too_many():
                break
            field = f"lines[{self._rows}]"
            self._rows += 1
            if self._too_many():
                most = f"{self._provider.name} takes at most {self._rules.max_lines} rows"
                self._faults.append(Violation(field, f"too_many_tasks: {most}"))
                break
            try:
                line = yield from self._writer.writing(row)
                yield from self._take(row.custom_id, line)
            except RowFault as fault:
                self._faults.append(
                    Violation(f"{field}.{fault.field}", f"{fault.code}: {fault.message}")
                )
                continue
            if line.model:
                self._models[line.model[:LONGEST_NAME]] = None
            self._rewritten += line.sent_model != line.model
            if line.streams and len(self._warnings) < MAX_FAULTS:
                self._warnings.append(
                    streaming(
                        line=self._rows,
                        byte_offset=self._made_bytes,
                        custom_id=row.custom_id[:LONGEST_NAME],
                    )
                )
            self._made_bytes += len(line.content) + 1
            lines.append(line.content + b"\n")
            yield
        self._call.received_lines = self._rows
        return lines

    def _received(self, message: pb.SubmitBatchRequest) -> None:
        if message.WhichOneof("payload") != "lines":
            raise UploadProtocol("every message after the first must carry lines")
        if self._asked:
            # A list's form on the wire is that of its items, one behind the other.
            self._asked.update(message.lines.SerializeToString(deterministic=True))
        size = message.lines.ByteSize()
        self._received_bytes += size
        self._call.count_received(size)

    async def _end(self) -> None:
        await self._confirm_end()
        self.ended = True

    def _take(self, custom_id: str, line: Line) -> Steps[None]:
        yield from self._ensure_permitted(line)
        yield
        if not line.model and self._rules.lacks_model(self._endpoint, line.whole):
            raise RowFault("body", MISSING, "names no model, and metadata.model has none for it")
        self._sent_model = self._sent_model or line.sent_model
        if line.sent_model and line.sent_model != self._sent_model:
            raise RowFault("body", "model_mismatch", "all rows of a batch must name the same model")
        # Digests of one size, however long the ids are.
        mark = hashlib.blake2b(custom_id.encode(), digest_size=16).digest()
        if mark in self._custom_ids:
            raise RowFault("custom_id", "duplicate_custom_id", "is used by a row before")
        self._custom_ids.add(mark)

    def _ensure_permitted(self, line: Line) -> Steps[None]:
        permitted = self._rules.permitted_models
        if permitted is None:
            return
        fault = name_fault(line.model, permitted, aliases=self._rules.models)
        if fault is None and (yield from is_ambiguous(line.whole)):
            fault = AMBIGUOUS
        if fault:
            said = f"{fault}; allowed: {self._rules.permitted_names}"
            raise RowFault("body", NOT_ALLOWED, said[:LONGEST_NAME])

    def _too_many(self) -> bool:
        return self._rows > self._rules.max_lines

    def _let_go(self, pieces: list[bytes], size: int) -> bytes:
        self._sent_bytes += size
        if self._sent_bytes > self._limit:
            raise FileTooLarge(
                f"the rows make a file larger than {self._limit} bytes, the limit of "
                f'{self._provider.name} for purpose "batch"',
                metadata={"provider": self._provider.name},
            )
        content = b"".join(pieces)
        self._digest.update(content)
        return content

    def _invalid(self) -> InvalidJsonl:
        first = self._faults[0]
        count = len(self._faults)
        more = f", and {count - 1} more" if count > 1 else ""
        return InvalidJsonl(
            f"{first.field}: {first.description}{more}; no file was created",
            metadata={"provider": self._provider.name},
            violations=self._faults,
        )
