"""Rows of a submitted batch: made of what callers have, and packed into messages."""

import json
from collections.abc import Mapping
from numbers import Integral
from typing import Any, TypeAlias

from batchgate.v1 import batch_service_pb2 as pb

Row: TypeAlias = pb.BatchLine | Mapping[str, Any]
"""A `BatchLine`, or a mapping with `custom_id` and `body`: the request's own object, or its JSON text."""
# Messages of this size carry many rows at once, and stay far below gRPC's limit of 4 MiB.
MESSAGE_BYTES = 256 * 1024


def batch_line(row: Row) -> pb.BatchLine:
    """A row as the contract has it.

    Raises:
        ValueError: It lacks a member, or has one too many; its id is empty; its body has a NaN.
        TypeError: Its id is neither a string nor an integer; its body is no JSON.
    """
    if isinstance(row, pb.BatchLine):
        return row
    if set(row) != {"custom_id", "body"}:
        raise ValueError(f"a row has the members custom_id and body, not {', '.join(sorted(row))}")
    body = row["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, allow_nan=False)
    return pb.BatchLine(custom_id=_id(row["custom_id"]), body_json=text)


def _id(given: object) -> str:
    # An id of a table's empty cell or of a column of floats would come back as "nan" or "7.0".
    if isinstance(given, bool) or not isinstance(given, str | Integral):
        raise TypeError(f"a row's custom_id is a string or an integer, not {given!r}")
    if given == "":
        raise ValueError("a row's custom_id is empty")
    return str(given)


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
