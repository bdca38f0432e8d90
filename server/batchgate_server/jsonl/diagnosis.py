"""What exactly is wrong with a line that is not an envelope: slow, for the few that need it.

Sources: OpenAI's batch guide and its line schema of 2025 (custom_id, method POST, url, body), the
error codes that OpenAI and Azure OpenAI report for a batch.
"""

from collections.abc import Mapping
from typing import NoReturn

import msgspec

from batchgate_server.jsonl.envelopes import decode_any, decode_members
from batchgate_server.jsonl.issues import Faulty

TEXTS = ("custom_id", "method", "url")


def diagnose(line: bytes) -> NoReturn:
    """Raise what is wrong with `line`, which is known not to be an envelope."""
    try:
        line.decode()
    except UnicodeDecodeError as exc:
        raise Faulty(
            "invalid_utf8", f"byte {exc.start + 1} of the line is not UTF-8; encode it as UTF-8"
        ) from exc
    members = _members(line)
    custom_id = _text(members, "custom_id")
    for name in TEXTS:
        if name not in members:
            raise Faulty(
                "missing_required_parameter", f"{name} is missing", param=name, custom_id=custom_id
            )
        if not isinstance(decode_any(members[name]), str):
            raise Faulty(
                "missing_required_parameter",
                f"{name} must be a string",
                param=name,
                custom_id=custom_id,
            )
    body = members.get("body")
    if body is None or not isinstance(decoded := decode_any(body), dict):
        said = "is missing" if body is None else "must be an object"
        raise Faulty(
            "missing_required_parameter", f"body {said}", param="body", custom_id=custom_id
        )
    if not isinstance(decoded.get("model", ""), str):
        raise Faulty(
            "missing_required_parameter",
            "body.model must be a string",
            param="body.model",
            custom_id=custom_id,
        )
    raise Faulty("invalid_json_line", "the line cannot be read", custom_id=custom_id)


def _members(line: bytes) -> Mapping[str, msgspec.Raw]:
    try:
        return decode_members(line)
    except msgspec.ValidationError as exc:
        raise Faulty("invalid_json_line", "the line must be a JSON object") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        # msgspec's message tells the place and the kind of the fault, not the content.
        raise Faulty("invalid_json_line", f"the line is not valid JSON: {exc}") from exc


def _text(members: Mapping[str, msgspec.Raw], name: str) -> str:
    value = decode_any(members[name]) if name in members else None
    return value if isinstance(value, str) else ""
