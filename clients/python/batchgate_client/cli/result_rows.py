"""A row of results as a line of JSON, and the count of many."""

import msgspec

from batchgate.v1.batch_pb2 import BatchUsage
from batchgate.v1.batch_service_pb2 import BatchResult

_encode = msgspec.json.Encoder().encode
USAGE = tuple(field.name for field in BatchUsage.DESCRIPTOR.fields)


class Tally(msgspec.Struct):
    """How many rows there were, and the tokens that they used."""

    succeeded: int = 0
    failed: int = 0
    usage: dict[str, int] = {}

    @property
    def rows(self) -> int:
        """All rows."""
        return self.succeeded + self.failed

    def add(self, result: BatchResult) -> None:
        """Count one row."""
        if result.succeeded:
            self.succeeded += 1
        else:
            self.failed += 1
        if result.HasField("usage"):
            for name in USAGE:
                used = getattr(result.usage, name)
                if used:
                    self.usage[name] = self.usage.get(name, 0) + used

    def copy(self) -> "Tally":
        """The same, to be kept while this one goes on."""
        return Tally(self.succeeded, self.failed, dict(self.usage))


def row_line(result: BatchResult) -> bytes:
    """A row as JSON, its body the very text that came, with a line feed at the end.

    As the contract's `BatchResult`, but `response.body` is the body itself in place of a string with
    its text, and of `response` and `error` the one that is not there is null.
    """
    response, error = None, None
    if result.HasField("response"):
        # In valid JSON a line feed can only stand between tokens; a row is one line.
        body = result.response.body_json.replace("\n", " ") or "null"
        response = {
            "status_code": result.response.status_code,
            "provider_request_id": result.response.provider_request_id,
            "body": msgspec.Raw(body.encode()),
        }
    elif result.HasField("error"):
        error = {"code": result.error.code, "message": result.error.message}
    row = {
        "custom_id": result.custom_id,
        "line": result.line,
        "succeeded": result.succeeded,
        "response": response,
        "error": error,
        "model": result.model,
        "usage": {name: getattr(result.usage, name) for name in USAGE}
        if result.HasField("usage")
        else None,
    }
    return _encode(row) + b"\n"
