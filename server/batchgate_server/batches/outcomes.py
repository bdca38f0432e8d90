"""Which requests of a batch have an answer, and which a good one: read from its files, in marks.

A mark is Python's hash of a custom_id: 64 bits, with a key of this process, so that memory follows
the number of requests and not the length of their ids.
"""

from contextlib import aclosing
from dataclasses import dataclass, field

from batchgate_server.batches.completeness import is_recent
from batchgate_server.batches.result_lines import MAX_LINE_BYTES, Head, file_lines
from batchgate_server.providers.openai import OpenAIProvider
from batchgate_server.rest.models import RestBatch
from batchgate_server.translation.results import (
    FIRST_ERROR_STATUS,
    MAX_TEXT,
    ResultLine,
    bounded,
    read_line,
    too_long,
)

# Errors of lines that the provider never came to.
ABANDONED = frozenset({"batch_expired", "batch_cancelled"})


@dataclass(slots=True)
class Outcomes:
    """The marks of requests by what became of them."""

    succeeded: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    """With an answer of their own."""
    answered: set[int] = field(default_factory=set)
    """All that are in a file."""
    rows: int = 0

    def add(self, line: ResultLine, *, is_whole: bool) -> None:
        """Take a row; one that is too long to be held is an answer, and a paid one."""
        self.rows += 1
        if not line.custom_id:
            return
        mark = hash(line.custom_id)
        self.answered.add(mark)
        if line.succeeded or not is_whole:
            self.succeeded.add(mark)
        elif was_answered(line):
            self.failed.add(mark)


async def read_outcomes(provider: OpenAIProvider, batch: RestBatch) -> Outcomes:
    """What became of each request, by the batch's output and error file."""
    outcomes = Outcomes()
    for name, file_id in (("output", batch.output_file_id), ("error", batch.error_file_id)):
        if not file_id:
            continue
        blocks = file_lines(
            provider, file_id, what=f"the {name} file of {batch.id}", is_new=is_recent(batch)
        )
        async with aclosing(blocks):
            async for block in blocks:
                for content, _, _ in block:
                    outcomes.add(read_result(content), is_whole=not isinstance(content, Head))
    outcomes.failed -= outcomes.succeeded
    return outcomes


def read_result(content: bytes) -> ResultLine:
    """A line of an output or error file, which may be too long to be held."""
    if isinstance(content, Head):
        return too_long(content, longest=MAX_LINE_BYTES)
    line = read_line(content)
    return bounded(line) if len(content) > MAX_TEXT else line


def was_answered(line: ResultLine) -> bool:
    """Whether a line without success failed by itself, and not since the batch ended early."""
    if line.response and (line.response.status_code >= FIRST_ERROR_STATUS or not line.failed):
        return True
    return bool(line.failed and line.error and line.error.code not in ABANDONED)
