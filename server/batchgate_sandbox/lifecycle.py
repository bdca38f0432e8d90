"""A batch's life: validating → in_progress → finalizing → completed, or one of the other ends.

Each batch is one task of the event loop; reading and answering lines happen in a thread, so
that a large file does not hold up the other requests.
"""

import asyncio
import json
import logging
import random
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from batchgate_sandbox.accounts import Account
from batchgate_sandbox.batch import Problem, Status, StoredBatch
from batchgate_sandbox.directives import Directive, directive_of
from batchgate_sandbox.echo import answer
from batchgate_sandbox.flavours.openai import OpenAI
from batchgate_sandbox.validation import Checked, check, numbered, parse

_log = logging.getLogger(__name__)

# Lines answered before the answers are shuffled and written: bounds memory, not the batch.
_BLOCK = 500
_ERROR_STATUS = 400
_EXPIRED = "This request could not be executed before the completion window expired."

QUEUE_FULL = (
    "token_limit_exceeded: The number of enqueued tokens has surpassed the configured limit. "
    "Please try again once some in_progress batches have been completed."
)
_CODES = {
    400: "invalid_request",
    401: "invalid_api_key",
    404: "not_found",
    429: "rate_limit_exceeded",
    500: "server_error",
    503: "server_overloaded",
}

End = Literal["completed", "expired", "cancelled"]


@dataclass(slots=True)
class _Results:
    """The output and the error file while they grow."""

    output: Path
    errors: Path
    rows: tuple[list[bytes], list[bytes]] = field(default_factory=lambda: ([], []))
    written: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, row: dict[str, Any], *, failed: bool) -> None:
        self.rows[failed].append(_encode(row))

    def flush(self) -> None:
        """Write what there is, in another order than the input's, as the real ones do."""
        for index, path in enumerate((self.output, self.errors)):
            rows = self.rows[index]
            random.Random(len(rows)).shuffle(rows)
            self.written[index] += len(rows)
            with path.open("ab") as file:
                file.writelines(rows)
            rows.clear()

    def discard(self) -> None:
        for path in (self.output, self.errors):
            path.unlink(missing_ok=True)


def _encode(row: dict[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape and UTF-8 not
        return json.dumps(row, separators=(",", ":")).encode() + b"\n"


class BatchRun:
    """One batch on its way. ``file`` is open already: deleting the input cannot harm it."""

    def __init__(
        self, batch: StoredBatch, account: Account, flavour: OpenAI, file: BinaryIO
    ) -> None:
        self._batch = batch
        self._account = account
        self._flavour = flavour
        self._file = file
        stem = account.directory / f".results-{secrets.token_hex(8)}"
        self._results = _Results(stem.with_suffix(".output"), stem.with_suffix(".errors"))
        self._stop_at: int | None = None
        self._stop: Literal["expire", "stall"] | None = None

    async def run(self) -> None:
        """Live the batch's whole life."""
        try:
            with self._file:
                end = await self._work()
            if end is not None:
                await self._finish(end)
        except Exception:  # noqa: BLE001 - the outermost border of this task
            # Else the batch would stay as it is for ever, and nobody would know why.
            _log.exception("batch %s broke", self._batch.id)
            self._batch.problems = [Problem("server_error", "The sandbox could not go on.")]
            self._enter("failed")
        finally:
            self._results.discard()

    async def _work(self) -> End | None:
        """Validate and answer; None where validation failed."""
        if await self._cancelled_after_a_step():
            return "cancelled"
        checked = await asyncio.to_thread(self._check)
        if checked.problems:
            self._batch.problems = checked.problems
            self._enter("failed")
            return None
        if self._batch.cancel_asked.is_set():
            return "cancelled"
        self._batch.total, self._batch.model = checked.total, checked.model
        self._plan(checked.total)
        self._enter("in_progress")
        return await self._answer_all()

    def _check(self) -> Checked:
        match self._batch.outcome_wanted():
            case "failed":
                message = "The batch was asked to fail."
                return Checked(problems=[Problem("invalid_request", message)])
            case "token_limit_exceeded":
                return Checked(problems=[Problem("token_limit_exceeded", QUEUE_FULL)])
        limit = self._account.settings.max_batch_file_bytes or self._flavour.max_batch_file_bytes
        if self._file.seek(0, 2) > limit:
            message = f"The input file is larger than the {limit} bytes allowed."
            return Checked(problems=[Problem("file_too_large", message)])
        self._file.seek(0)
        return check(
            self._file,
            endpoint=self._batch.endpoint,
            flavour=self._flavour,
            max_tasks=self._account.settings.max_tasks or self._flavour.max_tasks,
        )

    def _plan(self, total: int) -> None:
        outcome = self._batch.outcome_wanted()
        if outcome in ("expired", "stalled"):
            self._stop_at = total // 2
            self._stop = "expire" if outcome == "expired" else "stall"

    async def _answer_all(self) -> End:
        slices = max(1, self._account.settings.slices)
        self._file.seek(0)
        lines = numbered(self._file)
        size = -(-self._batch.total // slices)
        for _ in range(slices):
            done = await asyncio.to_thread(self._answer_some, lines, size)
            if self._stop == "expire" and done:
                return "expired"
            if self._stop == "stall" and done:
                await self._batch.cancel_asked.wait()
            if await self._cancelled_after_a_step():
                return "cancelled"
        return "completed"

    def _answer_some(self, lines: Iterator[tuple[int, bytes]], count: int) -> bool:
        """Answer up to ``count`` lines; True where a directive stopped the batch."""
        batch = self._batch
        for index, (_, raw) in zip(range(count), lines, strict=False):
            line = parse(raw)
            directive = directive_of(line["body"])
            if directive.batch is not None:
                self._stop, self._stop_at = directive.batch, batch.completed + batch.failed
            if self._stop_at is not None and batch.completed + batch.failed >= self._stop_at:
                if self._stop == "expire":
                    self._expire([line, *(parse(rest) for _, rest in lines)])
                self._results.flush()
                return True
            self._answer(line, directive)
            if index % _BLOCK == _BLOCK - 1:
                self._results.flush()
        self._results.flush()
        return False

    def _answer(self, line: dict[str, Any], directive: Directive) -> None:
        custom_id, body = str(line["custom_id"]), line["body"]
        failing = directive.fail is not None or directive.error is not None
        if failing and directive.times is not None:
            self._account.attempts[custom_id] += 1
            failing = self._account.attempts[custom_id] <= directive.times
        if not failing:
            got = answer(
                line["url"],
                body,
                now=self._account.now(),
                reply=directive.reply,
                reply_length=directive.reply_length,
            )
            self._batch.usage.add(got.input_tokens, got.output_tokens)
            self._add(self._flavour.answered_line(custom_id, 200, got.body), failed=False)
        elif directive.fail is not None:
            code = _CODES.get(directive.fail, "sandbox_failure")
            told = self._flavour.failure_body(directive.fail, "The line asked to fail.", code)
            row = self._flavour.answered_line(custom_id, directive.fail, told)
            self._add(row, failed=directive.fail >= _ERROR_STATUS)
        else:
            code = directive.error or ""
            message = _EXPIRED if code == "batch_expired" else "The line asked for this error."
            self._add(self._flavour.unanswered_line(custom_id, code, message), failed=True)

    def _expire(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            custom_id = str(line["custom_id"])
            row = self._flavour.unanswered_line(custom_id, "batch_expired", _EXPIRED)
            self._add(row, failed=True)

    def _add(self, row: dict[str, Any], *, failed: bool) -> None:
        self._results.add(row, failed=failed)
        if failed:
            self._batch.failed += 1
        else:
            self._batch.completed += 1

    async def _finish(self, end: End) -> None:
        if end == "cancelled":
            # So that a poll sees "cancelling", although the work has stopped.
            await self._step()
        else:
            self._enter("finalizing")
            await self._step()
        self._keep_results(end)
        self._enter(end)

    def _keep_results(self, end: End) -> None:
        batch, (output, errors) = self._batch, self._results.written
        if output:
            batch.output_file_id = self._keep(self._results.output, "output")
        if errors or (end == "completed" and self._flavour.error_file_always):
            batch.error_file_id = self._keep(self._results.errors, "error")

    def _keep(self, path: Path, kind: str) -> str:
        stored = self._account.add_file(
            path,
            filename=f"{self._batch.id}_{kind}.jsonl",
            purpose="batch_output",
            lifetime=self._batch.output_lifetime or self._flavour.output_file_lifetime,
            pending=False,
        )
        return stored.id

    async def _cancelled_after_a_step(self) -> bool:
        await self._step()
        return self._batch.cancel_asked.is_set()

    async def _step(self) -> None:
        """Wait a step."""
        await asyncio.sleep(self._account.settings.step_seconds)

    def _enter(self, status: Status) -> None:
        self._batch.enter(status, self._account.now())


class BatchRuns:
    """The batches under way; none outlives the sandbox."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, batch: StoredBatch, account: Account, flavour: OpenAI, path: Path) -> None:
        """Let a batch run, on the input file as it is now."""
        run = BatchRun(batch, account, flavour, path.open("rb"))
        task = asyncio.get_running_loop().create_task(run.run(), name=batch.id)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Break all off."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
