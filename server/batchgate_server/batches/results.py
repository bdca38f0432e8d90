"""The results of a batch, row by row: its output file, then its error file, in constant memory."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.result_lines import MAX_LINE_BYTES, Line, file_lines
from batchgate_server.batches.watching import Watching, is_terminal
from batchgate_server.call import current_call
from batchgate_server.errors import BatchNotFinished, GatewayError, InvalidField
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.translation.identifiers import checked_id
from batchgate_server.translation.results import add_result, read_line, unreadable
from batchgate_server.translation.resume_tokens import Place, read_resume_token, resume_token

Message = pb.StreamBatchResultsResponse
FILES = ("output", "error")
TOO_LONG = unreadable(f"is longer than {MAX_LINE_BYTES} bytes")
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


PACE = Pace()


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
    for number, file_id in enumerate((batch.output_file_id, batch.error_file_id)):
        if number < packer.file or not file_id:
            continue
        packer.enter(number)
        messages = _messages(
            provider, file_id, packer, what=f"the {FILES[number]} file of {batch.id}"
        )
        async with aclosing(messages):
            async for message in messages:
                yield message
    if packer.rows:
        yield packer.take()


def ensure_terminal(provider: OpenAIProvider, batch: RestBatch, advice: str) -> None:
    """Raises BatchNotFinished if the batch can still change."""
    if not is_terminal(batch):
        raise BatchNotFinished(
            f"{batch.id} is {batch.status}; {advice}", metadata={"provider": provider.name}
        )


async def _messages(
    provider: OpenAIProvider, file_id: str, packer: "_Packer", *, what: str
) -> AsyncGenerator[Message, None]:
    """The rows of one file. Where it is cut off, what came before is sent first."""
    blocks = file_lines(
        provider,
        file_id,
        what=what,
        offset=packer.place.offset,
        number=packer.place.line,
        pause_seconds=packer.pace.hold_seconds,
    )
    async with aclosing(blocks):
        try:
            async for block in blocks:
                for message in packer.pack(block):
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
        self._scope = (provider, request.batch_id, *map(str, self._wants))
        place = read_resume_token(request.resume_token, *self._scope, files=len(FILES))
        self.file, self._offset, self._line = place.file, place.offset, place.line
        self._call = current_call()
        self._message = Message()
        self._size = 0
        self._since = self._sent = monotonic()

    @property
    def place(self) -> Place:
        """Behind the last line that was read."""
        return Place(file=self.file, offset=self._offset, line=self._line)

    @property
    def rows(self) -> int:
        """How many rows wait to be sent."""
        return len(self._message.results)

    def enter(self, file: int) -> None:
        """Go on to a file, unless it is that of the place where reading began."""
        if file != self.file:
            self.file, self._offset, self._line = file, 0, 0

    def pack(self, block: Iterator[Line]) -> Iterator[Message]:
        """Take the lines of a block; the messages that are full or due."""
        message, size = self._message, self._size
        for content, number, end in block:
            line = TOO_LONG if content is None else read_line(content)
            if self._wants[line.succeeded]:
                row_size = ROW_BYTES + len(content or b"")
                if size and size + row_size > self.pace.message_bytes:
                    self._size = size
                    yield self.take()
                    message, size = self._message, 0
                if not size:
                    self._since = monotonic()
                add_result(message, line, number=number)
                size += row_size
            self._offset, self._line = end, number
        self._size = size
        now = monotonic()
        if (size and now - self._since >= self.pace.hold_seconds) or (
            now - self._sent >= self._heartbeat_seconds
        ):
            yield self.take()

    def take(self) -> Message:
        """The message as it is, which may have no rows."""
        message = self._message
        message.resume_token = resume_token(self.place, *self._scope)
        self._call.count_sent(self._size - ROW_BYTES * self.rows)
        self._call.sent_lines += self.rows
        self._call.tell("message", rows=self.rows)
        self._message, self._size = Message(), 0
        self._sent = monotonic()
        return message
