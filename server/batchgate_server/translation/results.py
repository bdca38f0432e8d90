"""Results: one line of a provider's output or error file as the contract has it.

A line is read fast where it is as documented. Any other (another type than documented, half of a
surrogate pair, NaN) is read again member by member, and only what is no JSON object at all, or no
UTF-8, becomes an error row of its own: a line is never lost, and never an exception.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from batchgate.v1 import batch_pb2, batch_service_pb2
from batchgate_server.rest.models import (
    MAX_INT,
    RestUsage,
    explanation,
    mapping,
    text,
    whole_number,
)
from batchgate_server.translation.batches import usage_message
from batchgate_server.translation.members import members_of

UNREADABLE = "unreadable_line"
MISSING = "missing_result"
FIRST_ERROR_STATUS = 400
BYTE_ORDER_MARK = "\ufeff"
NULL = b"null"
EMPTY = frozenset({b"", NULL, b"{}", b'""'})
QUOTE = b'"'
MAX_INT32 = 2**31 - 1
# A Responses body says itself how it ended, whatever its HTTP status is.
RESPONSE = "response"
FAILED_RESPONSES = frozenset({"failed", "incomplete", "cancelled"})
# What a row has besides its body must leave room for it in a message.
MAX_TEXT = 64 * 1024

_Status = Annotated[int, Meta(ge=0, le=MAX_INT32)]
_Tokens = Annotated[int, Meta(ge=0, le=MAX_INT)] | None


class ResultResponse(Struct, gc=False, frozen=True):
    """A line's `response`; the body stays as it came."""

    status_code: _Status = 0
    request_id: str | None = None
    body: Raw = Raw()

    @property
    def is_explained(self) -> bool:
        """Whether it is an error that has a body."""
        return self.status_code >= FIRST_ERROR_STATUS and bytes(self.body) not in EMPTY


class ResultError(Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A line's `error` as documented; what has other members is read leniently."""

    code: str | None = None
    message: str | None = None
    param: str | None = None
    type: str | None = None


class ResultLine(Struct, gc=False, frozen=True):
    """A line of an output or error file; Azure OpenAI's lack the `id`, and nobody needs it."""

    custom_id: str = ""
    response: ResultResponse | None = None
    error: ResultError | None = None

    @property
    def failed(self) -> bool:
        """Whether there is an error; one that says nothing is none."""
        return self.error is not None and bool(self.error.code or self.error.message)

    @property
    def is_answered(self) -> bool:
        """Whether there was an answer with a status below 400, and no error."""
        response = self.response
        return (
            response is not None
            and 0 < response.status_code < FIRST_ERROR_STATUS
            and not self.failed
        )

    @property
    def succeeded(self) -> bool:
        """Whether it is answered, and the answer's body does not itself say that it failed."""
        return (
            self.response is not None and self.is_answered and not _is_failure(self.response.body)
        )


class _Cached(Struct, gc=False):
    cached_tokens: _Tokens = None


class _Reasoning(Struct, gc=False):
    reasoning_tokens: _Tokens = None


class _Usage(Struct, gc=False):
    """What answers call their tokens: chat completions and embeddings, then responses."""

    prompt_tokens: _Tokens = None
    completion_tokens: _Tokens = None
    total_tokens: _Tokens = None
    prompt_tokens_details: _Cached | None = None
    completion_tokens_details: _Reasoning | None = None
    input_tokens: _Tokens = None
    output_tokens: _Tokens = None
    input_tokens_details: _Cached | None = None
    output_tokens_details: _Reasoning | None = None


class _Body(Struct, gc=False):
    model: str | None = None
    usage: _Usage | None = None
    object: str | None = None
    status: str | None = None

    @property
    def is_failure(self) -> bool:
        """Whether it is a Responses object that has failed."""
        return _says_failure(self.object, self.status)


_read_line = msgspec.json.Decoder(ResultLine).decode
_read_body = msgspec.json.Decoder(_Body).decode
_json = json.JSONDecoder(strict=False)
# Only where it stands before the answer, whose content may have the same words.
CUSTOM_ID = re.compile(
    rb'\A\s*\{\s*(?:"id"\s*:\s*"[^"\\]*"\s*,\s*)?"custom_id"\s*:\s*("(?:[^"\\]|\\.)*")'
)


def read_line(line: bytes) -> ResultLine:
    """A line as it is meant; one that cannot be read has the error `unreadable_line`."""
    try:
        return _read_line(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return _read_leniently(line)


def unreadable(why: str, *, custom_id: str = "") -> ResultLine:
    """Stands for a line that cannot be read; says why, and nothing of its content."""
    message = f"the line {why}; DownloadFile gives it as it is"
    return ResultLine(custom_id=custom_id, error=ResultError(code=UNREADABLE, message=message))


def too_long(head: bytes, *, longest: int) -> ResultLine:
    """Stands for a line that is too long to be held, of which only the beginning is known."""
    return unreadable(f"is longer than {longest} bytes", custom_id=_named_in(head))


def bounded(line: ResultLine) -> ResultLine:
    """A long line whose row has room for its body: other texts of it are cut."""
    if len(line.custom_id) > MAX_TEXT:
        return unreadable(f"has a custom_id of more than {MAX_TEXT} characters")
    response, error = line.response, line.error
    if response and response.request_id:
        request_id = response.request_id[:MAX_TEXT]
        response = msgspec.structs.replace(response, request_id=request_id)
    if error:
        code, message = (text(one)[:MAX_TEXT] for one in (error.code, error.message))
        error = ResultError(code=code, message=message)
    return ResultLine(custom_id=line.custom_id, response=response, error=error)


def missing(custom_id: str) -> ResultLine:
    """Stands for the result of a request that is in neither of the provider's files."""
    message = "the batch is completed, and neither its output nor its error file has this request"
    return ResultLine(custom_id=custom_id, error=ResultError(code=MISSING, message=message))


def add_result(
    message: batch_service_pb2.StreamBatchResultsResponse, line: ResultLine, *, number: int
) -> None:
    """Append a line's row: made in place, since copying rows costs more than making them."""
    response, error = line.response, line.error
    row = message.results.add(line=number, succeeded=line.is_answered)
    try:
        row.custom_id = line.custom_id
    except ValueError:  # half of a surrogate pair, which JSON can escape and protobuf not carry
        row.custom_id = text(line.custom_id)
    # With both an error and an answer that is one, the answer explains more, if it has a body.
    if error and line.failed and not (response and response.is_explained):
        row.error.code = text(error.code) or (str(response.status_code) if response else "")
        row.error.message = text(error.message)
    elif response is not None:
        _fill(row, response)


def cut_result(
    line: ResultLine, *, number: int, part_bytes: int
) -> Iterator[batch_service_pb2.StreamBatchResultsResponse]:
    """A line's row in as many messages as its body has parts of so many bytes; never none.

    Each is cut between two characters, and all but the last say that the body continues.
    """
    body = memoryview(line.response.body if line.response else b"")
    ends = list(_ends(body, part_bytes))
    message = batch_service_pb2.StreamBatchResultsResponse()
    if len(ends) < 2 or not _is_utf8(body, ends):  # noqa: PLR2004 - one part is the row itself
        add_result(message, line, number=number)
        message.results[0].model = message.results[0].model[:MAX_TEXT]
        yield message
        return
    # All but the body, which is put there part by part.
    add_result(message, line, number=number)
    row = message.results[0]
    row.model = row.model[:MAX_TEXT]
    if row.WhichOneof("outcome") == "response":
        row.response.body_json = ""
        begin = 0
        for end in ends:
            part = batch_service_pb2.StreamBatchResultsResponse()
            part.CopyFrom(message)
            part.results[0].response.body_json = bytes(body[begin:end])  # type: ignore[assignment]
            part.results[0].body_continues = end < len(body)
            yield part
            begin = end
    else:
        yield message


def _ends(body: memoryview, part_bytes: int) -> Iterator[int]:
    """Where the parts of a body end."""
    end = 0
    while end < len(body):
        end = min(end + part_bytes, len(body))
        # Not within a character, whose later bytes begin with the bits 10.
        while end < len(body) and body[end] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8's own
            end -= 1
        yield end


def _is_utf8(body: memoryview, ends: Sequence[int]) -> bool:
    begin = 0
    try:
        for end in ends:
            str(body[begin:end], "utf-8")
            begin = end
    except UnicodeDecodeError:
        return False
    return True


def _fill(row: batch_service_pb2.BatchResult, response: ResultResponse) -> None:
    body = bytes(response.body)
    if body == NULL:
        body = b""
    try:
        # Checked by protobuf to be UTF-8, which saves making a str of it.
        row.response.body_json = body  # type: ignore[assignment]
    except ValueError:
        row.error.code = UNREADABLE
        row.error.message = "the line is not UTF-8; DownloadFile gives it as it is"
        row.succeeded = False
        return
    row.response.status_code = response.status_code
    if response.request_id:
        row.response.provider_request_id = response.request_id
    if body[:1] == QUOTE:
        body = _unwrapped(body)
    if body[:1] != b"{":
        return
    try:
        decoded = _read_body(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        _fill_leniently(row, body)
        return
    if decoded.object == RESPONSE and decoded.is_failure:
        row.succeeded = False
    if decoded.model:
        row.model = decoded.model
    if decoded.usage:
        _fill_usage(row.usage, decoded.usage)


def _unwrapped(body: bytes) -> bytes:
    """The JSON in a body that is a JSON text, as OGX writes them; nothing where it has none."""
    try:
        return str(_json.decode(body.decode())).encode()
    except (ValueError, RecursionError):
        return b""


def _is_failure(body: Raw) -> bool:
    """Whether an answer's body is a Responses object that has failed."""
    content = bytes(body)
    if content[:1] == QUOTE:
        content = _unwrapped(content)
    if b"response" not in content:
        return False
    try:
        return _read_body(content).is_failure
    except (msgspec.DecodeError, ValueError, RecursionError):
        members = _lenient_members(content)
        return _says_failure(members.get("object"), members.get("status"))


def _says_failure(kind: object, status: object) -> bool:
    return kind == RESPONSE and isinstance(status, str) and status in FAILED_RESPONSES


def _fill_usage(message: batch_pb2.BatchUsage, usage: _Usage) -> None:
    inputs = usage.prompt_tokens_details or usage.input_tokens_details
    outputs = usage.completion_tokens_details or usage.output_tokens_details
    message.input_tokens = usage.prompt_tokens or usage.input_tokens or 0
    message.output_tokens = usage.completion_tokens or usage.output_tokens or 0
    message.total_tokens = usage.total_tokens or 0
    if inputs and inputs.cached_tokens:
        message.cached_input_tokens = inputs.cached_tokens
    if outputs and outputs.reasoning_tokens:
        message.reasoning_output_tokens = outputs.reasoning_tokens


def _read_leniently(line: bytes) -> ResultLine:
    why = ""
    try:
        content = line.decode()
    except UnicodeDecodeError:
        content, why = line.decode(errors="replace"), "is not UTF-8"
    try:
        members = members_of(content.removeprefix(BYTE_ORDER_MARK))
        custom_id = _value(members.get("custom_id"))
        # As it is, halves of surrogate pairs included: two ids must not become one.
        named = custom_id if isinstance(custom_id, str) else text(custom_id)
        if why:
            return unreadable(why, custom_id=named)
        return ResultLine(
            custom_id=named,
            response=_response(members.get("response")),
            error=_error(_value(members.get("error"))),
        )
    except (ValueError, RecursionError):
        return unreadable(why or "is not a JSON object")


def _response(member: str | None) -> ResultResponse | None:
    if member is None or member == "null":
        return None
    if not member.startswith("{"):
        return ResultResponse(body=Raw(member.encode()))
    members = members_of(member)
    status = whole_number(_value(members.get("status_code"))) or 0
    body = members.get("body", "")
    return ResultResponse(
        status_code=status if 0 < status <= MAX_INT32 else 0,
        request_id=text(_value(members.get("request_id"))),
        body=Raw(body.encode()),
    )


def _error(value: object) -> ResultError | None:
    """An error of any shape: an object, one in another, a list of texts, a text."""
    if not value:
        return None
    if isinstance(value, dict):
        inner = mapping(value.get("error")) or {}
        code = text(inner.get("code")) or text(value.get("code"))
        return ResultError(code=code, message=explanation(value))
    return ResultError(message=explanation(value))


def _fill_leniently(row: batch_service_pb2.BatchResult, body: bytes) -> None:
    """The model and the usage of a body in which something is not as documented."""
    members = _lenient_members(body)
    if _says_failure(members.get("object"), members.get("status")):
        row.succeeded = False
    row.model = text(members.get("model"))
    if usage := mapping(members.get("usage")):
        names = {"prompt": "input", "completion": "output"}
        known = {}
        for name, value in usage.items():
            first, _, rest = name.partition("_")
            known[f"{names.get(first, first)}_{rest}"] = value
        if said := usage_message(RestUsage.model_validate(known)):
            row.usage.MergeFrom(said)


def _lenient_members(body: bytes) -> dict[str, Any]:
    """The members of a body that are looked at; none where it cannot be read."""
    try:
        members = members_of(body.decode())
        return {name: _value(members.get(name)) for name in ("object", "status", "model", "usage")}
    except (ValueError, RecursionError):
        return {}


def _named_in(head: bytes) -> str:
    """The custom_id in the beginning of a line; empty where it does not stand there."""
    found = CUSTOM_ID.search(head)
    if found is None:
        return ""
    try:
        return text(_json.decode(found[1].decode()))
    except ValueError:
        return ""


def _value(member: str | None) -> Any:  # noqa: ANN401 - JSON is any value
    return None if member is None else _json.decode(member)
