"""All lines of a file checked and rewritten while they stream."""

import hashlib
import json
from collections.abc import Iterable

import msgspec

from batchgate_server.jsonl.envelopes import (
    TRUE,
    Absent,
    Envelope,
    decode_envelopes,
    decode_raw,
)
from batchgate_server.jsonl.file_kinds import HEAD, file_kind, shortened
from batchgate_server.jsonl.halves import carried
from batchgate_server.jsonl.issues import (
    BYTE_ORDER_MARK,
    MAX_ISSUES,
    MISSING,
    Faulty,
    Issue,
    streaming,
)
from batchgate_server.jsonl.lines import NEWLINE, LineSplitter, are_objects
from batchgate_server.jsonl.model_names import NOT_ALLOWED, model_fault, named_once
from batchgate_server.jsonl.places import place
from batchgate_server.jsonl.reading import BLANK, MARK, read
from batchgate_server.jsonl.rules import Rules, formed
from batchgate_server.steps import PIECE_BYTES, Steps, at_once

MAX_NAMES = 100
# Lines after which it is clear that the file is JSON Lines, faulty or not.
FEW = 2
# Characters of a name in the report, whose answer must stay small.
LONGEST_NAME = 256
# Longer custom_ids are remembered by their digests: a file may be hardly anything else.
LONGEST_KEPT_ID = 64


class JsonlChecker:
    """Checks a file of requests chunk by chunk, in memory for one line and all custom_ids.

    `feeding` and `finishing` give what is to be sent on, in steps. Whoever sends stops at the first
    of `issues`, and may go on feeding to learn of more, up to 100.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._lines = LineSplitter()
        self._offset = 0  # of the next line's first byte
        self._number = 0  # of the last line, blank ones counted
        self._ids: set[str | bytes] = set()
        self._seen: set[tuple[str, str, str | Absent]] = set()
        self._model: str | None = None
        self._url = rules.compared(rules.endpoint)
        self._first_lines: list[bytes] = []  # while all are faulty
        self._stopped = False
        self.issues: list[Issue] = []
        self.warnings: list[Issue] = []
        """What is probably not meant, and refuses nothing."""
        self.line_count = 0
        """Lines that are not blank."""
        self.rewritten_lines = 0
        self.models: dict[str, None] = {}
        """The models that lines name, as received but cut off, in order of appearance."""
        self.urls: dict[str, None] = {}
        """The urls that lines name, as received but cut off, in order of appearance."""

    @property
    def rewrites(self) -> bool:
        """Whether what comes out may differ from what goes in."""
        return self._rules.rewrites

    @property
    def is_full(self) -> bool:
        """Whether more lines would tell nothing more."""
        return self._stopped or len(self.issues) >= MAX_ISSUES

    def feed(self, chunk: bytes) -> bytes:
        """As `feeding`, all steps at once."""
        return at_once(self.feeding(chunk))

    def finish(self) -> bytes:
        """As `finishing`, all steps at once."""
        return at_once(self.finishing())

    def feeding(self, chunk: bytes) -> Steps[bytes]:
        """Check the lines that `chunk` completes; what to send on, now."""
        if self.is_full:
            return b""
        block = self._lines.feed(chunk)
        sent = (yield from self._check(block)) if block else b""
        if self._lines.held > self._rules.max_line_bytes and not self.is_full:
            self._number += 1
            self._too_long(self._lines.begin(HEAD))
        return sent if self._rules.rewrites else chunk

    def finishing(self) -> Steps[bytes]:
        """Check the last line and the file as a whole; what to send on at the end."""
        rest = b"" if self.is_full else self._lines.rest()
        sent = (yield from self._check(rest)) if rest else b""
        if not self.line_count and not self.issues:
            self._note("empty_file", "the file has no requests", line=0, offset=0)
        return sent if self._rules.rewrites else b""

    def _check(self, block: bytes) -> Steps[bytes]:
        if not self._offset and block.startswith(MARK):
            message = "the file begins with a byte order mark; save it as UTF-8 without one"
            self._note(BYTE_ORDER_MARK, message, line=1)
            self._offset, block = len(MARK), block.removeprefix(MARK)
        sent: list[bytes] = []
        for piece in pieces_of(block):
            if len(piece) > PIECE_BYTES:
                yield
            if len(piece) <= PIECE_BYTES and self._is_fine(piece):
                sent.append(piece)
            else:
                yield from self._check_each(piece, sent)
            if self.is_full:
                break
            if len(piece) < len(block):
                yield
        return b"".join(sent)

    def _is_fine(self, block: bytes) -> bool:
        """The quick way for blocks whose lines are all as the ones before: true if they are.

        Nothing is noted where it is false: then each line is looked at.
        """
        if len(block) > self._rules.max_line_bytes:
            return False
        try:
            if not block.isascii():
                block.decode()
            envelopes = decode_envelopes(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        lines = len(envelopes)
        if (
            self.line_count + lines > self._rules.max_lines
            or not are_objects(block, lines)
            or (self._rules.permitted_models is not None and not named_once(block, lines))
        ):
            return False
        ids: set[str | bytes] = {envelope.custom_id for envelope in envelopes}
        if max(map(len, ids), default=0) > LONGEST_KEPT_ID:
            ids = {_mark(envelope.custom_id) for envelope in envelopes}
        if len(ids) != lines or "" in ids or not self._ids.isdisjoint(ids):
            return False
        warns = len(self.warnings) < MAX_ISSUES
        for envelope in envelopes:
            seen = (envelope.method, envelope.url, envelope.body.model) in self._seen
            if not seen or (warns and envelope.body.stream == TRUE):
                return False
        self._ids |= ids
        self.line_count += lines
        self._number += lines
        self._offset += len(block)
        return True

    def _check_each(self, block: bytes, sent: list[bytes]) -> Steps[None]:
        for line in lines_of(block):
            if self.is_full:
                return
            self._number += 1
            if len(line) - line.endswith(NEWLINE) > self._rules.max_line_bytes:
                self._too_long(line)
                return
            if line[:PIECE_BYTES].strip(BLANK) or line.strip(BLANK):
                self.line_count += 1
                if self.line_count == self._rules.max_lines + 1:
                    self._note("too_many_tasks", f"more than {self._rules.max_lines} requests")
                    self._stopped = True
                    return
                sent.append((yield from self._checked(line)))
            else:
                sent.append(line)
            self._offset += len(line)
            yield

    def _checked(self, line: bytes) -> Steps[bytes]:
        """`line` as it is to be sent; notes what is wrong with it."""
        try:
            envelope, whole = yield from read(line)
        except Faulty as exc:
            self._note(exc.code, exc.message, param=exc.param, custom_id=exc.custom_id)
            if exc.unreadable and self.line_count <= FEW:
                self._first_lines.append(shortened(line))
                if len(self._first_lines) == self.line_count:
                    self._is_other_file(self._first_lines)
            return line
        noted = len(self.issues)
        self._judge_id(envelope.custom_id)
        self._judge_target(envelope)
        yield
        self._judge_model(whole, envelope)
        self._warn(envelope)
        yield from self._judge_permission(whole, envelope)
        if len(self.issues) > noted:
            return line
        return (yield from self._rewritten(line, whole, envelope))

    def _judge_id(self, custom_id: str) -> None:
        if not custom_id:
            self._note(MISSING, "custom_id must not be empty", param="custom_id")
            return
        mark = _mark(custom_id)
        if mark in self._ids:
            self._note(
                "duplicate_custom_id",
                f"another line has the custom_id {custom_id[:64]!r} already",
                param="custom_id",
                custom_id=custom_id,
            )
        self._ids.add(mark)

    def _judge_target(self, envelope: Envelope) -> None:
        url, custom_id, rules = envelope.url, envelope.custom_id, self._rules
        if envelope.method != "POST":
            self._note("invalid_method", "method must be POST", param="method", custom_id=custom_id)
        compared, fault = rules.compared(url), None
        if not self._url and not (fault := rules.url_fault(url)):
            self._url = compared
        elif self._url and compared != self._url:
            fault = f"must be {rules.endpoint or 'that of the lines before'}"
        if fault:
            self._note("url_mismatch", f"url {fault}", param="url", custom_id=custom_id)
        if len(self.urls) < MAX_NAMES:
            self.urls[carried(url[:LONGEST_NAME])] = None

    def _judge_model(self, whole: bytes, envelope: Envelope) -> None:
        model, custom_id = envelope.body.model, envelope.custom_id
        if not isinstance(model, str) or not model:
            rules = self._rules
            # Who may use but some models is told of that below.
            if rules.permitted_models is None and (
                model == "" or rules.lacks_model(envelope.url, whole)
            ):
                message = "body.model is missing; the endpoint needs one"
                self._note(MISSING, message, param="body.model", custom_id=custom_id)
            return
        if len(self.models) < MAX_NAMES:
            self.models[carried(model[:LONGEST_NAME])] = None
        wanted_model = self._rules.models.get(model, model)
        self._model = wanted_model if self._model is None else self._model
        if wanted_model != self._model:
            self._note(
                "model_mismatch",
                "all lines of a file must name the same model",
                param="body.model",
                custom_id=custom_id,
            )

    def _warn(self, envelope: Envelope) -> None:
        if envelope.body.stream == TRUE and len(self.warnings) < MAX_ISSUES:
            custom_id = carried(envelope.custom_id[:256])
            self.warnings.append(
                streaming(line=self._number, byte_offset=self._offset, custom_id=custom_id)
            )

    def _judge_permission(self, whole: bytes, envelope: Envelope) -> Steps[None]:
        permitted = self._rules.permitted_models
        if permitted is None:
            return
        fault = yield from model_fault(envelope, whole, permitted, aliases=self._rules.models)
        if fault:
            self._note(
                NOT_ALLOWED,
                f"{fault}; allowed: {self._rules.permitted_names}"[:LONGEST_NAME],
                param="body.model",
                custom_id=envelope.custom_id,
            )

    def _rewritten(self, line: bytes, whole: bytes, envelope: Envelope) -> Steps[bytes]:
        """`line` as it is to be sent; `whole` is the same without halves of surrogate pairs."""
        model, url = envelope.body.model, formed(envelope.url, self._rules.url_prefix)
        new_model = self._rules.models.get(model, model) if isinstance(model, str) else model
        if new_model == model and url == envelope.url:
            # The next lines like this one can take the quick way; without a model each is looked at.
            if len(self._seen) < MAX_NAMES and (model or not self._rules.needs_model(url)):
                self._seen.add((envelope.method, envelope.url, model))
            return line
        self.rewritten_lines += 1
        yield
        raw = decode_raw(whole)
        yield
        changes: list[tuple[int, int, bytes]] = []
        if new_model != model:
            changes.append((*place(whole, raw.body.model), msgspec.json.encode(new_model)))
        if url != envelope.url:
            # Halves can only be written escaped.
            new = msgspec.json.encode(url) if whole is line else json.dumps(url).encode()
            changes.append((*place(whole, raw.url), new))
        # From the end, so that the places before stay what they are.
        for start, end, new in sorted(changes, reverse=True):
            line = b"".join((line[:start], new, line[end:]))
        return line

    def _is_other_file(self, first_lines: list[bytes]) -> bool:
        """Whether all lines are faulty since the file is something else; then only that is said."""
        if found := file_kind(first_lines):
            marks = [issue for issue in self.issues if issue.code == BYTE_ORDER_MARK]
            self.issues[:] = []
            self._note(*found, line=0, offset=0)
            self.issues += marks
            self._stopped = True
        return bool(found)

    def _too_long(self, line: bytes) -> None:
        if not self.line_count and self._is_other_file([line[:HEAD]]):
            return
        limit = self._rules.max_line_bytes
        self._note("line_too_long", f"the line is longer than {limit} bytes")
        self._stopped = True

    def _note(
        self,
        code: str,
        message: str,
        *,
        param: str = "",
        custom_id: str = "",
        line: int | None = None,
        offset: int | None = None,
    ) -> None:
        if len(self.issues) >= MAX_ISSUES:
            return
        self.issues.append(
            Issue(
                line=self._number if line is None else line,
                byte_offset=self._offset if offset is None else offset,
                code=code,
                param=param,
                custom_id=carried(custom_id[:256]),
                message=message,
            )
        )


def _mark(custom_id: str) -> str | bytes:
    """What a custom_id is known by: itself, or a digest of one that is long."""
    if len(custom_id) <= LONGEST_KEPT_ID:
        return custom_id
    return hashlib.blake2b(custom_id.encode(errors="surrogatepass"), digest_size=16).digest()


def pieces_of(block: bytes) -> Iterable[bytes]:
    """Whole lines, as many as one step can take; a longer line is a piece of its own."""
    if len(block) <= PIECE_BYTES:
        yield block
        return
    start = 0
    while start < len(block):
        end = block.rfind(NEWLINE, start, start + PIECE_BYTES) + 1
        end = end or block.find(NEWLINE, start + PIECE_BYTES) + 1 or len(block)
        yield block[start:end]
        start = end


def lines_of(block: bytes) -> Iterable[bytes]:
    r"""The lines of a block with their newlines; only `\n` ends a line."""
    start = 0
    while start < len(block):
        end = block.find(NEWLINE, start) + 1 or len(block)
        yield block[start:end]
        start = end
