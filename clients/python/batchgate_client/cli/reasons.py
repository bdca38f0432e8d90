"""Why rows failed, in few words: for a count of the reasons, never the whole of what came."""

from typing import Any

import msgspec

from batchgate.v1.batch_service_pb2 import BatchResult
from batchgate_client.cli.wording import printable

MISSING = "missing_result"
"""The contract's code of a row that is in none of the provider's files."""
MAX_TEXT = 120
# An error is short; what is longer is not looked into.
MAX_BODY = 256 * 1024
_decode = msgspec.json.Decoder().decode


def reason_of(result: BatchResult) -> str:
    """Such as `400 invalid_request_error: model not found`."""
    if result.HasField("error"):
        return shortened(f"{result.error.code}: {result.error.message}")
    if not result.HasField("response"):
        return "neither an answer nor an error"
    return shortened(f"{result.response.status_code} {_of_body(result.response.body_json)}")


def shortened(text: str) -> str:
    """One line that a terminal does not obey, of a bounded length."""
    line = printable(" ".join(text[: 4 * MAX_TEXT].split())).strip(" :")
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"


def _of_body(text: str) -> str:
    """What the body of an answer says went wrong."""
    if len(text) > MAX_BODY:
        return ""
    try:
        body = _decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    if not isinstance(body, dict):
        return str(body)
    error = body.get("error") or body.get("incomplete_details") or body
    return _of_error(error)


def _of_error(error: Any) -> str:  # noqa: ANN401 - any JSON
    if not isinstance(error, dict):
        return str(error)
    if isinstance(error.get("error"), dict):
        return _of_error(error["error"])
    kind = error.get("type") or error.get("code") or error.get("status") or ""
    message = error.get("message") or error.get("reason") or error.get("detail") or ""
    return f"{kind}: {message}"
