"""Durations as callers give them, and as the contract has them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration


def duration(given: timedelta | float | None) -> Duration | None:
    """Seconds or a timedelta as a message; None stays none."""
    if given is None:
        return None
    message = Duration()
    message.FromTimedelta(given if isinstance(given, timedelta) else timedelta(seconds=given))
    return message
