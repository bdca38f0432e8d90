"""The results of a batch, row by row: its output file, then its error file, in constant memory."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from time import monotonic

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.completeness import (
    STREAM_PAUSES,
    ensure_results,
    is_recent,
    lacks_errors,
    lacks_output,
    polled,
    results_missing,
    total_count,
)
from batchgate_server.batches.outcomes import read_outcomes, read_result
from batchgate_server.batches.result_lines import Line, file_lines
from batchgate_server.batches.watching import Watching, is_terminal
from batchgate_server.call import current_call
from batchgate_server.errors import (
    BatchNotFinished,
    GatewayError,
    InvalidField,
    ProviderNotFound,
)
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.translation.identifiers import checked_id
from batchgate_server.translation.results import (
    ResultLine,
    add_result,
    cut_result,
    missing,
    read_line,
)
from batchgate_server.translation.resume_tokens import Place, read_resume_token, resume_token

Message = pb.StreamBatchResultsResponse
FILES = ("output", "error")
COMPLETED = "completed"
# Whether rows are wanted that did not succeed, and those that did.
WANTED = {
    pb.RESULT_FILTER_UNSPECIFIED: (True, True),
    pb.RESULT_FILTER_ALL: (True, True),
    pb.RESULT_FILTER_SUCCEEDED: (False, True),
    pb.RESULT_FILTER_FAILED: (True, False),
}
# What a row's message takes beside what stands in its line; about, and rather too much.
ROW_BYTES = 64


@dataclass(frozen=True, slots=True)
class Pace:
    """How rows become messages."""

    message_bytes: int = 256 * 1024
    """A message has about so many bytes at most, unless a single row has more."""
    hold_seconds: float = 0.5
    """Rows wait twice as long at most for others to be packed with."""
    row_bytes: int = 1024 * 1024
    """A row whose line has more is cut into messages whose bodies have so many at most."""


PACE = Pace()
Read = Callable[[bytes], ResultLine | None]
"""Makes a result of a line; None where the line has none to give."""


async def stream_results(
    provider: OpenAIProvider,
    request: pb.StreamBatchResultsRequest,
    *,
    watching: Watching,
    pace: Pace = PACE,
) -> AsyncGenerator[Message, None]:
    """The rows of a batch, packed into messages.

    Raises:
        InvalidField: the resume_token is none, or one of other results.
        BatchNotFinished: the batch is not terminal.
        ResultsMissing: its counts say more than its files hold; all rows there are have been given.
        ProviderNotFound: there is no such batch, or its results are gone.
        ProviderUnavailable: the content was cut off; what came before has been given.
    """
    batch_id = checked_id("batch_id", request.batch_id)
    packer = _Packer(
        provider.name, request, pace=pace, heartbeat_seconds=watching.heartbeat_seconds
    )
    batch = await provider.get_batch(batch_id)
    if request.wait_until_done and not is_terminal(batch):
        async with watching.watch(provider.name, batch_id) as subscription:
            while not is_terminal(batch):
                seen = await subscription.next(watching.heartbeat_seconds)
                batch = seen.batch if seen else batch
                yield packer.take()
        # That took its time, and the provider may have another key by now.
        provider = subscription.provider
        provider.users.add(current_call())
    ensure_terminal(provider, batch, "set wait_until_done, or ask again later")
    async with aclosing(_files(provider, batch, packer)) as messages:
        async for message in messages:
            yield message


async def _files(
    provider: OpenAIProvider, batch: RestBatch, packer: "_Packer"
) -> AsyncGenerator[Message, None]:
    """All rows behind the packer's place, and of those that are missing what can be said."""
    for number in range(packer.file, len(FILES)):
        lacks = lacks_output if number == 0 else partial(lacks_errors, rows=packer.seen)
        async with aclosing(polled(provider, batch, lacks, STREAM_PAUSES)) as polls:
            async for polled_batch in polls:
                batch = polled_batch
                yield packer.take()
        if file_id := (batch.output_file_id, batch.error_file_id)[number]:
            packer.enter(number)
            what = f"the {FILES[number]} file of {batch.id}"
            messages = _messages(
                provider, file_id, packer, read_result, what=what, is_new=is_recent(batch)
            )
            async with aclosing(messages):
                async for message in messages:
                    yield message
    if packer.rows:
        yield packer.take()
    if packer.file < len(FILES):
        ensure_results(provider, batch, rows=packer.seen)
    if batch.state == COMPLETED and packer.seen < total_count(batch):
        async with aclosing(_unanswered(provider, batch, packer)) as messages:
            async for message in messages:
                yield message


async def _unanswered(
    provider: OpenAIProvider, batch: RestBatch, packer: "_Packer"
) -> AsyncGenerator[Message, None]:
    """A row for each request that is in neither file, which the input file names.

    Read once more where the stream was resumed: which requests have an answer is held nowhere.
    """
    short = f"has no result for {total_count(batch) - packer.seen} of {total_count(batch)} requests"
    if not batch.input_file_id:
        raise results_missing(provider, batch, f"{short}, and no input file that would name them")
    answered = (await read_outcomes(provider, batch)).answered

    def read(content: bytes) -> ResultLine | None:
        custom_id = read_line(content).custom_id
        return missing(custom_id) if custom_id and hash(custom_id) not in answered else None

    packer.enter(len(FILES))
    messages = _messages(
        provider, batch.input_file_id, packer, read, what=f"the input file of {batch.id}"
    )
    try:
        async with aclosing(messages):
            async for message in messages:
                yield message
    except ProviderNotFound as exc:
        raise results_missing(provider, batch, f"{short}; {exc.message}") from exc
    if packer.rows:
        yield packer.take()


def ensure_terminal(provider: OpenAIProvider, batch: RestBatch, advice: str) -> None:
    """Raises BatchNotFinished if the batch can still change."""
    if not is_terminal(batch):
        raise BatchNotFinished(
            f"{batch.id} is {batch.status}; {advice}", metadata={"provider": provider.name}
        )


async def _messages(
    provider: OpenAIProvider,
    file_id: str,
    packer: "_Packer",
    read: Read,
    *,
    what: str,
    is_new: bool = False,
) -> AsyncGenerator[Message, None]:
    """The rows of one file. Where it is cut off, what came before is sent first."""
    blocks = file_lines(
        provider,
        file_id,
        what=what,
        offset=packer.place.offset,
        number=packer.place.line,
        pause_seconds=packer.pace.hold_seconds,
        is_new=is_new,
    )
    async with aclosing(blocks):
        try:
            async for block in blocks:
                for message in packer.pack(block, read):
                    yield message
        except GatewayError:
            if packer.rows:
                yield packer.take()
            raise


class _Packer:
    """The message that is being filled, and the place behind the last line that was read."""

    def __init__(
        self,
        provider: str,
        request: pb.StreamBatchResultsRequest,
        *,
        pace: Pace,
        heartbeat_seconds: float,
    ) -> None:
        """Check what is asked for; a heartbeat is a message that may have no rows."""
        self.pace = pace
        self._heartbeat_seconds = heartbeat_seconds
        if request.filter not in WANTED:
            raise InvalidField("filter", "is none of ResultFilter")
        self._wants = WANTED[request.filter]
        self._wants_all = all(self._wants)
        self._scope = (provider, request.batch_id, *map(str, self._wants))
        # Behind the two files comes the input file, which names what is in neither.
        place = read_resume_token(request.resume_token, *self._scope, files=len(FILES) + 1)
        self.file, self._offset, self._line = place.file, place.offset, place.line
        self.seen = place.rows
        """The rows of the output and error file so far, wanted or not."""
        self._call = current_call()
        self._message = Message()
        self._size = 0
        self._since = self._sent = monotonic()

    @property
    def place(self) -> Place:
        """Behind the last line that was read."""
        return Place(file=self.file, offset=self._offset, line=self._line, rows=self.seen)

    @property
    def rows(self) -> int:
        """How many rows wait to be sent."""
        return len(self._message.results)

    def enter(self, file: int) -> None:
        """Go on to a file, unless it is that of the place where reading began."""
        if file != self.file:
            self.file, self._offset, self._line = file, 0, 0

    def pack(self, block: Iterator[Line], read: Read) -> Iterator[Message]:
        """Take the lines of a block; the messages that are full or due."""
        message, size = self._message, self._size
        counted = self.file < len(FILES)
        for content, number, end in block:
            line = read(content)
            if line is not None and (self._wants_all or self._wants[line.succeeded]):
                row_size = ROW_BYTES + len(content)
                is_long = row_size > self.pace.row_bytes
                if size and (is_long or size + row_size > self.pace.message_bytes):
                    self._size = size
                    yield self.take()
                    message, size = self._message, 0
                if not size:
                    self._since = monotonic()
                if is_long:
                    for message in self._cut(line, number):
                        yield message
                    message = self._message
                else:
                    add_result(message, line, number=number)
                size += row_size
            self.seen += counted
            self._offset, self._line = end, number
        self._size = size
        now = monotonic()
        if (size and now - self._since >= self.pace.hold_seconds) or (
            now - self._sent >= self._heartbeat_seconds
        ):
            yield self.take()

    def _cut(self, line: ResultLine, number: int) -> Iterator[Message]:
        """The messages of a long row but the last, which waits to be sent with its place."""
        parts = cut_result(line, number=number, part_bytes=self.pace.row_bytes)
        self._message = next(parts)
        for part in parts:
            # The bytes of the whole line are counted with its last part.
            self._size = ROW_BYTES
            yield self.take()
            self._message = part

    def take(self) -> Message:
        """The message as it is, which may have no rows."""
        message = self._message
        message.resume_token = resume_token(self.place, *self._scope)
        self._call.count_sent(self._size - ROW_BYTES * self.rows)
        continues = bool(self.rows) and message.results[-1].body_continues
        rows = self.rows - continues
        self._call.sent_lines += rows
        self._call.tell("message", rows=rows)
        self._message, self._size = Message(), 0
        self._sent = monotonic()
        return message
