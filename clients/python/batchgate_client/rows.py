"""Rows of a submitted batch: made of what callers have, and packed into messages."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from batchgate.v1 import batch_service_pb2 as pb

Row: TypeAlias = pb.BatchLine | Mapping[str, Any]
"""A `BatchLine`, or a mapping with `custom_id` and `body`: the request's own object, or its JSON text."""
# Messages of this size carry many rows at once, and stay far below gRPC's limit of 4 MiB.
MESSAGE_BYTES = 256 * 1024


def batch_line(row: Row) -> pb.BatchLine:
    """A row as the contract has it.

    Raises:
        ValueError: It lacks a member, or has one too many.
        TypeError: Its body is no JSON.
    """
    if isinstance(row, pb.BatchLine):
        return row
    if set(row) != {"custom_id", "body"}:
        raise ValueError(f"a row has the members custom_id and body, not {', '.join(sorted(row))}")
    body = row["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return pb.BatchLine(custom_id=str(row["custom_id"]), body_json=text)


class Packer:
    """Collects rows until they are worth a message."""

    def __init__(self) -> None:
        self._lines: list[pb.BatchLine] = []
        self._bytes = 0

    def add(self, row: Row) -> pb.SubmitBatchRequest | None:
        """A message, once enough has come."""
        line = batch_line(row)
        self._lines.append(line)
        self._bytes += line.ByteSize()
        return self.flush() if self._bytes >= MESSAGE_BYTES else None

    def flush(self) -> pb.SubmitBatchRequest | None:
        """A message with what is left."""
        if not self._lines:
            return None
        message = pb.SubmitBatchRequest(lines=pb.BatchLines(lines=self._lines))
        self._lines, self._bytes = [], 0
        return message
