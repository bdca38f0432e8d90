"""A row of results as a line of JSON, and the count of many."""

import json

import msgspec

from batchgate.v1.batch_pb2 import BatchUsage
from batchgate.v1.batch_service_pb2 import BatchResult
from batchgate_client.cli.reasons import MISSING, reason_of
from batchgate_client.cli.wording import printable

_encode = msgspec.json.Encoder().encode
USAGE = tuple(field.name for field in BatchUsage.DESCRIPTOR.fields)


TIMES = "\N{MULTIPLICATION SIGN}"
MAX_KINDS, MAX_NAMED, MAX_TOLD = 50, 20, 5


class Tally(msgspec.Struct):
    """How many rows there were, why some failed, and the tokens that they used."""

    succeeded: int = 0
    failed: int = 0
    usage: dict[str, int] = {}
    reasons: dict[str, int] = {}
    """How many rows failed for each reason; after the first kinds, no new ones."""
    missing: int = 0
    """Rows, among the failed ones, that the provider has no result of."""
    missing_ids: list[str] = []
    """The first of them."""

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
            self._add_reason(result)
        if result.HasField("usage"):
            for name in USAGE:
                used = getattr(result.usage, name)
                if used:
                    self.usage[name] = self.usage.get(name, 0) + used

    def _add_reason(self, result: BatchResult) -> None:
        if result.HasField("error") and result.error.code == MISSING:
            self.missing += 1
            if len(self.missing_ids) < MAX_NAMED:
                self.missing_ids.append(result.custom_id)
            return
        reason = reason_of(result)
        if reason in self.reasons or len(self.reasons) < MAX_KINDS:
            self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def copy(self) -> "Tally":
        """The same, to be kept while this one goes on."""
        return Tally(
            self.succeeded,
            self.failed,
            dict(self.usage),
            dict(self.reasons),
            self.missing,
            list(self.missing_ids),
        )

    def top_reasons(self) -> list[tuple[str, int]]:
        """The most frequent reasons, and their counts."""
        return sorted(self.reasons.items(), key=lambda one: -one[1])[:MAX_TOLD]

    def reason_lines(self) -> list[str]:
        """Why rows failed, for people."""
        top = self.top_reasons()
        lines = [f"{reason} {TIMES}{count:,}" for reason, count in top]
        if others := self.failed - self.missing - sum(count for _, count in top):
            lines.append(f"for other reasons {TIMES}{others:,}")
        if self.missing:
            named = ", ".join(printable(one) for one in self.missing_ids)
            more = ", …" if self.missing > len(self.missing_ids) else ""
            lines.append(f"the provider has no result {TIMES}{self.missing:,}: {named}{more}")
        return lines

    def facts(self) -> dict[str, object]:
        """What is counted, for programs."""
        return {
            "succeeded": self.succeeded,
            "failed": self.failed,
            "missing": self.missing,
            "reasons": [{"reason": reason, "count": count} for reason, count in self.top_reasons()],
        }


def _strict(body: str) -> str:
    """A body as it came where it is JSON; else in the JSON that comes nearest.

    Some servers write NaN and Infinity, which most readers refuse with the whole line: they become
    null. What is no JSON at all becomes a string.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        try:
            return json.dumps(json.loads(body, parse_constant=lambda _: None))
        except (ValueError, RecursionError):
            return json.dumps(body)
    return body


def row_line(result: BatchResult) -> bytes:
    """A row as strict JSON, its body the very text that came if that is JSON, with a line feed.

    As the contract's `BatchResult`, but `response.body` is the body itself in place of a string with
    its text, and of `response` and `error` the one that is not there is null.
    """
    response, error = None, None
    if result.HasField("response"):
        # In valid JSON a line feed can only stand between tokens; a row is one line.
        body = _strict(result.response.body_json.replace("\n", " ") or "null")
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
