"""Rows that callers send, and what must come back for each of them."""

import json
from collections import Counter
from typing import Any

from batchgate.v1 import batch_service_pb2 as pb

ENDPOINT = "/v1/chat/completions"
TEXT = "the quick brown fox jumps over the lazy dog"


def lines_of(operation: int, count: int) -> bytes:
    """A file of so many rows."""
    rows = (
        {
            "custom_id": f"{operation}-{row}",
            "method": "POST",
            "url": ENDPOINT,
            "body": json.loads(body_of(operation, row)),
        }
        for row in range(count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def body_of(operation: int, row: int, *, fail: bool = False) -> str:
    """A row's body; one that is to `fail` does so the first time."""
    body: dict[str, Any] = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "user", "content": text_of(operation, row)}],
    }
    if fail:
        body["sandbox"] = {"fail": 500, "times": 1}
    return json.dumps(body)


def text_of(operation: int, row: int) -> str:
    """What a row says, so that its answer cannot be another row's."""
    return f"{operation} {row} {TEXT[: row % len(TEXT)]}"


def expected_of(operation: int, rows: int, *, failing: int = 0) -> Counter[str]:
    """The words of all results, of which the first `failing` ones failed."""
    return Counter(
        f"{operation}-{row}: " + ("500" if row < failing else f"Echo: {text_of(operation, row)}")
        for row in range(rows)
    )


def row_word(row: pb.BatchResult) -> str:
    """A row of results in a word: who asked, and what was answered."""
    if not row.succeeded:
        return f"{row.custom_id}: {row.response.status_code or row.error.code}"
    body = json.loads(row.response.body_json)
    return f"{row.custom_id}: {body['choices'][0]['message']['content']}"
