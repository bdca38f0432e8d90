"""The providers' objects as they come: decoded leniently, since a strange field is no reason to fail.

A value of another type than documented becomes the nearest one of the right type, or nothing: empty
strings for null, times as unix seconds or ISO 8601, numbers as text. Only an object without an id
is refused.
"""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# The range of google.protobuf.Timestamp: years 1 to 9999.
MIN_TIME = -62135596800
MAX_TIME = 253402300799
MAX_INT = 2**63 - 1
# Words of servers that are nearly OpenAI which plainly mean a documented one.
SYNONYMS = {
    "succeeded": "completed",
    "success": "completed",
    "complete": "completed",
    "done": "completed",
    "finished": "completed",
    "ended": "completed",
    "timeout_exceeded": "expired",
    "timeout": "expired",
    "timed_out": "expired",
    "canceled": "cancelled",
    "aborted": "cancelled",
    "canceling": "cancelling",
    "failure": "failed",
    "error": "failed",
    "errored": "failed",
    "created": "validating",
    "pending": "validating",
    "queued": "validating",
    "running": "in_progress",
    "processing": "in_progress",
}
# Where errors of unknown shapes have their text, and how much of one is read.
EXPLANATIONS = ("message", "error", "detail", "details", "msg", "reason", "description")
MAX_EXPLANATION = 1000
MAX_ITEMS = 100
MAX_DEPTH = 5
# Of a batch. A provider may say as many as fit an answer, and each takes long to look at.
MAX_FAULTS = 1000
# Python writes no longer ones (sys.int_info.default_max_str_digits).
LONGEST_NUMBER = 10**4300


def text(value: object) -> str:
    """`value` as text; null, objects and lists become empty."""
    if isinstance(value, str):
        # JSON may carry lone surrogates, which protobuf cannot.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < LONGEST_NUMBER):
        return str(value)
    return ""


def whole_number(value: object) -> int | None:
    """`value` as an integer of 64 bits, or None where it is not one."""
    if isinstance(value, str):
        try:
            value = float(value) if "." in value else int(value)
        except ValueError:
            return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -MAX_INT <= value <= MAX_INT:
        return value
    return None


def moment(value: object) -> float | None:
    """`value` (unix seconds, or ISO 8601 as in Microsoft's samples) as unix seconds, or None."""
    if isinstance(value, str):
        value = _written_moment(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Zero stands for "not set" in servers that leave out nulls; NaN compares false.
    return value if value and MIN_TIME <= value <= MAX_TIME else None


def _written_moment(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        parsed = datetime.fromisoformat(value)
        # A time without a zone is taken as UTC, as the others are.
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def mapping(value: object) -> Mapping[str, object] | None:
    """`value` if it is an object with anything in it, else None."""
    return value if isinstance(value, Mapping) and value else None


def labels(value: object) -> dict[str, str]:
    """Metadata: null, absent and empty are one; a value that is no text becomes its JSON."""
    return {text(key): _label(item) for key, item in (mapping(value) or {}).items()}


def _label(item: object) -> str:
    try:
        return text(item) if isinstance(item, str) else json.dumps(item)
    except ValueError:  # a number longer than Python writes
        return ""


def faults(value: object) -> list[Mapping[str, object]]:
    """A batch's errors: a list, a single one, or `{"data": …}` around either.

    Servers that are nearly OpenAI write texts in place of objects, and objects in objects.
    """
    if isinstance(value, Mapping) and ("data" in value or value.get("object") == "list"):
        value = value.get("data")
    items = value if isinstance(value, list) else [value]
    found = [fault for fault in map(_fault, items[:MAX_FAULTS]) if fault]
    if (more := len(items) - MAX_FAULTS) > 0:
        found.append({"message": f"and {more} more errors, which are left out here"})
    return found


def _fault(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        return {"message": text(value)} if text(value) else {}
    inner = mapping(value.get("error"))
    fault = {**value, **inner} if inner else value
    if value and not (text(fault.get("message")) or text(fault.get("code"))):
        return {**fault, "message": explanation(value)}
    return fault


def explanation(value: object, *, depth: int = MAX_DEPTH) -> str:
    """What a person can read of an error of any shape, without its code; perhaps cut.

    The text of the first member that usually has it, the texts of a list, or else the JSON of all
    that is not null.
    """
    match value:
        case Mapping() if depth:
            for name in EXPLANATIONS:
                if found := explanation(value.get(name), depth=depth - 1):
                    return found
            said = {name: member for name, member in value.items() if member and name != "code"}
            try:
                return text(json.dumps(said, ensure_ascii=False))[:MAX_EXPLANATION] if said else ""
            except (ValueError, RecursionError):
                return ""
        case list() if depth:
            texts = (explanation(item, depth=depth - 1) for item in value[:MAX_ITEMS])
            return "; ".join(filter(None, texts))[:MAX_EXPLANATION]
        case _:
            return text(value)


Text = Annotated[str, BeforeValidator(text)]
WholeNumber = Annotated[int | None, BeforeValidator(whole_number)]
Moment = Annotated[float | None, BeforeValidator(moment)]
Id = Annotated[str, BeforeValidator(text), Field(min_length=1)]


class RestModel(BaseModel):
    """Base: immutable, and unknown fields are ignored."""

    # hide_input_in_errors: what a provider says may be a caller's content.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class RestResource(RestModel):
    """What has an id, and stands in lists."""

    id: Id
    created_at: Moment = None

    def cleaned(self, clean: Callable[[str], str]) -> Self:  # noqa: ARG002 - for those that have words
        """The same without secrets in what the provider words itself; `clean` takes them out."""
        return self


class RestFile(RestResource):
    """A file object."""

    filename: Text = ""
    purpose: Text = ""
    bytes: WholeNumber = None
    expires_at: Moment = None
    status: Text = ""
    status_details: Text = ""

    def cleaned(self, clean: Callable[[str], str]) -> Self:
        """The same without secrets in what is wrong with it."""
        if not self.status_details:
            return self
        return self.model_copy(update={"status_details": clean(self.status_details)})


class RestRequestCounts(RestModel):
    """A batch's `request_counts`."""

    total: WholeNumber = None
    completed: WholeNumber = None
    failed: WholeNumber = None


class RestInputDetails(RestModel):
    """The `input_tokens_details` of a batch's usage."""

    cached_tokens: WholeNumber = None


class RestOutputDetails(RestModel):
    """The `output_tokens_details` of a batch's usage."""

    reasoning_tokens: WholeNumber = None


class RestUsage(RestModel):
    """A batch's `usage`."""

    input_tokens: WholeNumber = None
    input_tokens_details: Annotated[RestInputDetails | None, BeforeValidator(mapping)] = None
    output_tokens: WholeNumber = None
    output_tokens_details: Annotated[RestOutputDetails | None, BeforeValidator(mapping)] = None
    total_tokens: WholeNumber = None


class RestBatchError(RestModel):
    """One of a batch's `errors.data`; Azure OpenAI types `line` as a string."""

    code: Text = ""
    message: Text = ""
    param: Text = ""
    line: WholeNumber = None


def documented_status(word: str) -> str:
    """The documented status that a provider's word means; the word itself, in small letters, if none."""
    word = word.lower().replace("-", "_").replace(" ", "_")
    return SYNONYMS.get(word, word)


class RestBatch(RestResource):
    """A batch object."""

    endpoint: Text = ""
    model: Text = ""
    status: Text = ""
    input_file_id: Text = ""
    output_file_id: Text = ""
    error_file_id: Text = ""
    completion_window: Text = ""
    in_progress_at: Moment = None
    expires_at: Moment = None
    finalizing_at: Moment = None
    completed_at: Moment = None
    failed_at: Moment = None
    expired_at: Moment = None
    cancelling_at: Moment = None
    cancelled_at: Moment = None
    request_counts: Annotated[RestRequestCounts | None, BeforeValidator(mapping)] = None
    usage: Annotated[RestUsage | None, BeforeValidator(mapping)] = None
    errors: Annotated[list[RestBatchError], BeforeValidator(faults)] = []
    metadata: Annotated[dict[str, str], BeforeValidator(labels)] = {}

    @property
    def state(self) -> str:
        """The documented status that the provider's word means; the word itself where none."""
        return documented_status(self.status)

    def cleaned(self, clean: Callable[[str], str]) -> Self:
        """The same without secrets in its errors."""
        if not self.errors:
            return self
        errors = [
            error.model_copy(
                update={
                    "code": clean(error.code),
                    "message": clean(error.message),
                    "param": clean(error.param),
                }
            )
            for error in self.errors
        ]
        return self.model_copy(update={"errors": errors})
