"""Faults of lines, between the checker and the contract."""

from collections.abc import Sequence

from batchgate.v1 import file_service_pb2
from batchgate_server.errors import InvalidJsonl, Violation
from batchgate_server.jsonl.issues import MAX_ISSUES, Issue

# How many faults the message itself tells; the details have them all.
TOLD = 3


def issue_message(issue: Issue) -> file_service_pb2.JsonlIssue:
    """A fault as the contract has it."""
    return file_service_pb2.JsonlIssue(
        line=issue.line,
        byte_offset=issue.byte_offset,
        code=issue.code,
        param=issue.param,
        custom_id=issue.custom_id,
        message=issue.message,
    )


def invalid_jsonl(issues: Sequence[Issue], *, provider: str) -> InvalidJsonl:
    """The error that names all faults, and the first ones in its message."""
    first = "; ".join(f"{_place(issue)}: {issue.code}: {issue.message}" for issue in issues[:TOLD])
    count = f"{len(issues)}{' or more' if len(issues) >= MAX_ISSUES else ''}"
    return InvalidJsonl(
        f"{count} fault{'s' if len(issues) != 1 else ''}, no file was created: {first}"
        f"{'; …' if len(issues) > TOLD else ''}",
        metadata={"provider": provider},
        violations=[
            Violation(
                field=f"{_place(issue)}{' ' if issue.param else ''}{issue.param}",
                description=f"{issue.code}: {issue.message}",
            )
            for issue in issues
        ],
    )


def _place(issue: Issue) -> str:
    return f"line {issue.line}" if issue.line else "file"
