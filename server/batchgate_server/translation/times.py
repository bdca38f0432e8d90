"""Times and durations between unix seconds and protobuf."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from batchgate_server.errors import InvalidField


def timestamp(seconds: float | None) -> Timestamp | None:
    """Unix seconds as a Timestamp; None stays None, which protobuf takes as unset."""
    if seconds is None:
        return None
    whole = int(seconds // 1)
    # A fraction just below one may round up to it.
    return Timestamp(seconds=whole, nanos=min(int((seconds - whole) * 1e9), 999_999_999))


def whole_seconds(field: str, duration: Duration) -> int:
    """A Duration in whole seconds, as providers take it; their own ranges are theirs to check."""
    if duration.nanos or duration.seconds <= 0:
        raise InvalidField(field, "must be a positive number of whole seconds")
    return duration.seconds


def waiting_seconds(field: str, duration: Duration, *, default: float, longest: float) -> float:
    """A Duration as a time to wait: nothing means the default, more than the longest the longest."""
    seconds = duration.seconds + duration.nanos / 1e9
    if seconds < 0:
        raise InvalidField(field, "must not be negative")
    return min(seconds, longest) if seconds else default
