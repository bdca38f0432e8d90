"""Values as people read them."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor

    from batchgate.v1.batch_pb2 import Batch, BatchRequestCounts, BatchUsage

UNITS = ("bytes", "kB", "MB", "GB", "TB")
THOUSAND = 1000


def printable(text: str) -> str:
    """A text from outside, with nothing in it that a terminal would obey."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def size_text(size: float) -> str:
    """A number of bytes, as `1.2 MB`."""
    for unit in UNITS:
        if size < THOUSAND or unit == UNITS[-1]:
            break
        size /= THOUSAND
    return f"{size:,.0f} {unit}" if unit == UNITS[0] else f"{size:,.1f} {unit}"


def counted(number: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def value_text(field: "FieldDescriptor", value: Any) -> str:  # noqa: ANN401 - any field's
    """A field's value, such as a time or the word of an enum."""
    if field.message_type is not None:
        return _message_text(field.message_type.name, value)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        prefix = field.enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
        return known.name.removeprefix(prefix).lower() if known and value else ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def _message_text(name: str, value: Any) -> str:  # noqa: ANN401 - any message
    if name == "Timestamp":
        return datetime.fromtimestamp(value.seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return counts_text(value) if name == "BatchRequestCounts" else printable(str(value))


def counts_text(counts: "BatchRequestCounts") -> str:
    """How far a batch is."""
    if not counts.total:
        return "not counted yet"
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    return f"{counts.completed:,} of {counts.total:,} done{failed}"


def usage_text(usage: "BatchUsage") -> str:
    """Tokens used."""
    cached = f" ({usage.cached_input_tokens:,} cached)" if usage.cached_input_tokens else ""
    reasoning = (
        f" ({usage.reasoning_output_tokens:,} reasoning)" if usage.reasoning_output_tokens else ""
    )
    return (
        f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out{reasoning}, "
        f"{usage.total_tokens:,} in all"
    )


def state_text(batch: "Batch") -> str:
    """A batch's status, in the provider's word."""
    return printable(batch.status_text) or "unknown"
