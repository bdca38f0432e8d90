"""A batch file checked on this machine, by the very code that checks it on its way."""

import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from batchgate.v1.file_service_pb2 import JsonlIssue, UploadReport
from batchgate_client.cli.failures import UNUSABLE, failure, file_failure
from batchgate_client.cli.wording import counted, printable, size_text
from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.jsonl.issues import MAX_ISSUES, Issue
from batchgate_server.jsonl.rules import Kind, Rules

BLOCK = 1024 * 1024
MAX_WARNINGS = 3
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_FILE_BYTES = 200 * 1024 * 1024
# Lines of the largest batch, as the providers document them.
MAX_LINES = {"openai": 50_000, "azure_openai": 100_000}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one provider takes."""

    max_lines: int
    max_file_bytes: int = MAX_FILE_BYTES
    kind: Kind = "openai"

    @classmethod
    def of_kind(cls, kind: Kind) -> "Limits":
        """The documented limits of `openai` or `azure_openai`."""
        return cls(max_lines=MAX_LINES[kind], kind=kind)


def open_input(path: Path) -> BinaryIO:
    """The file, or the failure of one that is none."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise file_failure(error) from None
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode) and not status.st_size:
        file.close()
        raise failure(f"{path}: is empty; a batch needs a line for each request", code=UNUSABLE)
    return file


def check_file(
    path: Path,
    limits: Limits,
    *,
    endpoint: str = "",
    progress: Callable[[int], object] = lambda _: None,
) -> UploadReport:
    """Check all lines of a file, as an upload would.

    Raises:
        typer.Exit: the file cannot be read, or `endpoint` is none.
    """
    rules = Rules(
        max_lines=limits.max_lines,
        max_line_bytes=MAX_LINE_BYTES,
        kind=limits.kind,
        endpoint=endpoint,
    )
    if endpoint and (fault := rules.url_fault(endpoint)):
        raise failure(f"--endpoint {fault}", code=UNUSABLE)
    checker, digest, size = JsonlChecker(rules), hashlib.sha256(), 0
    with open_input(path) as file:
        try:
            while block := file.read(BLOCK):
                size += len(block)
                digest.update(block)
                checker.feed(block)
                progress(size)
        except OSError as error:
            error.filename = error.filename or str(path)
            raise file_failure(error) from None
    checker.finish()
    issues = list(map(_message, checker.issues))
    if size > limits.max_file_bytes:
        text = f"the file has {size_text(size)}; at most {size_text(limits.max_file_bytes)} go"
        issues.insert(0, JsonlIssue(code="file_too_large", message=text))
    return UploadReport(
        received_bytes=size,
        sha256=digest.hexdigest(),
        line_count=checker.line_count,
        models=checker.models,
        urls=checker.urls,
        issues=issues,
        warnings=map(_message, checker.warnings),
    )


def _message(issue: Issue) -> JsonlIssue:
    return JsonlIssue(
        line=issue.line,
        byte_offset=issue.byte_offset,
        code=issue.code,
        param=issue.param,
        custom_id=issue.custom_id,
        message=issue.message,
    )


def described(report: UploadReport) -> str:
    """A file without faults, in one line."""
    words = [counted(report.line_count, "line"), size_text(report.received_bytes)]
    return ", ".join([*words, *report.models[:3], *report.urls[:1]])


def issue_lines(path: Path, report: UploadReport) -> list[str]:
    """Each fault with its place, as compilers tell theirs."""
    lines = [_line(path, issue, issue.code) for issue in report.issues]
    if len(report.issues) >= MAX_ISSUES:
        lines.append(f"{path}: and perhaps more; the first {MAX_ISSUES} are told")
    return lines


def warning_lines(path: Path, report: UploadReport) -> list[str]:
    """Each warning with its place; of many the first, and how many there are."""
    warnings = report.warnings
    lines = [_line(path, issue, f"warning: {issue.code}") for issue in warnings[:MAX_WARNINGS]]
    if (rest := len(warnings) - MAX_WARNINGS) > 0:
        more = "or more " if len(warnings) >= MAX_ISSUES else ""
        lines.append(f"{path}: warning: and {rest} {more}lines like these")
    return lines


def _line(path: Path, issue: JsonlIssue, code: str) -> str:
    place = f"{path}:{issue.line}" if issue.line else f"{path}"
    whose = f" (custom_id {printable(issue.custom_id)!r})" if issue.custom_id else ""
    return f"{place}: {code}: {printable(issue.message)}{whose}"
