"""What exactly is wrong with a line that is not an envelope: slow, for the few that need it.

Sources: OpenAI's batch guide and its line schema of 2025 (custom_id, method POST, url, body), the
error codes that OpenAI and Azure OpenAI report for a batch.
"""

from typing import NoReturn

import msgspec

from batchgate_server.jsonl.envelopes import Members, decode_any, decode_body, decode_members
from batchgate_server.jsonl.issues import Faulty
from batchgate_server.steps import Steps

TEXTS = ("custom_id", "method", "url")
QUOTE, OPEN = b'"', b"{"


def diagnose(line: bytes) -> Steps[NoReturn]:
    """Raise what is wrong with `line`, which is known not to be an envelope.

    What is not looked at is skipped over: a value's first byte tells what it is.
    """
    try:
        line.decode()
    except UnicodeDecodeError as exc:
        raise Faulty(
            "invalid_utf8", f"byte {exc.start + 1} of the line is not UTF-8; encode it as UTF-8"
        ) from exc
    yield
    members = _members(line)
    yield
    values = {name: bytes(getattr(members, name)) for name in (*TEXTS, "body")}
    custom_id = values["custom_id"]
    named = str(decode_any(custom_id)) if custom_id.startswith(QUOTE) else ""
    for name in TEXTS:
        if not values[name].startswith(QUOTE):
            said = "must be a string" if values[name] else "is missing"
            raise _missing(name, f"{name} {said}", named)
    body = values["body"]
    if not body.startswith(OPEN):
        raise _missing("body", f"body {'must be an object' if body else 'is missing'}", named)
    yield
    model = bytes(decode_body(body).model)
    if model and not model.startswith(QUOTE):
        raise _missing("body.model", "body.model must be a string", named)
    raise Faulty("invalid_json_line", "the line cannot be read", custom_id=named)


def _missing(param: str, message: str, custom_id: str) -> Faulty:
    return Faulty("missing_required_parameter", message, param=param, custom_id=custom_id)


def _members(line: bytes) -> Members:
    try:
        return decode_members(line)
    except msgspec.ValidationError as exc:
        raise Faulty("invalid_json_line", "the line must be a JSON object") from exc
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        # msgspec's message tells the place and the kind of the fault, not the content.
        raise Faulty("invalid_json_line", f"the line is not valid JSON: {exc}") from exc
