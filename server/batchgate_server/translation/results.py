"""Results: one line of a provider's output or error file as the contract has it.

A line is read fast where it is as documented. Any other (another type than documented, half of a
surrogate pair, NaN) is read again member by member, and only what is no JSON object at all, or no
UTF-8, becomes an error row of its own: a line is never lost, and never an exception.
"""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from batchgate.v1 import batch_pb2, batch_service_pb2
from batchgate_server.rest.models import MAX_INT, RestUsage, mapping, text, whole_number
from batchgate_server.translation.batches import usage_message

UNREADABLE = "unreadable_line"
FIRST_ERROR_STATUS = 400
BYTE_ORDER_MARK = "\ufeff"
NULL = b"null"
MAX_INT32 = 2**31 - 1

_Status = Annotated[int, Meta(ge=0, le=MAX_INT32)]
_Tokens = Annotated[int, Meta(ge=0, le=MAX_INT)] | None


class ResultResponse(Struct, gc=False, frozen=True):
    """A line's `response`; the body stays as it came."""

    status_code: _Status = 0
    request_id: str | None = None
    body: Raw = Raw()


class ResultError(Struct, gc=False, frozen=True):
    """A line's `error`."""

    code: str | None = None
    message: str | None = None


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
    def succeeded(self) -> bool:
        """Whether there was an answer with a status below 400, and no error."""
        response = self.response
        return (
            response is not None
            and 0 < response.status_code < FIRST_ERROR_STATUS
            and not self.failed
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


_read_line = msgspec.json.Decoder(ResultLine).decode
_read_body = msgspec.json.Decoder(_Body).decode
_json = json.JSONDecoder(strict=False)


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


def add_result(
    message: batch_service_pb2.StreamBatchResultsResponse, line: ResultLine, *, number: int
) -> None:
    """Append a line's row: made in place, since copying rows costs more than making them."""
    response, error = line.response, line.error
    row = message.results.add(line=number, succeeded=line.succeeded)
    try:
        row.custom_id = line.custom_id
    except ValueError:  # half of a surrogate pair, which JSON can escape and protobuf not carry
        row.custom_id = text(line.custom_id)
    # With both an error and an answer that is one, the answer explains more.
    if error and line.failed and not (response and response.status_code >= FIRST_ERROR_STATUS):
        row.error.code = text(error.code)
        row.error.message = text(error.message)
    elif response is not None:
        _fill(row, response)


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
    if body[:1] != b"{":
        return
    try:
        decoded = _read_body(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        _fill_leniently(row, body)
        return
    if decoded.model:
        row.model = decoded.model
    if decoded.usage:
        _fill_usage(row.usage, decoded.usage)


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
        members = _members(content.removeprefix(BYTE_ORDER_MARK))
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
    members = _members(member)
    status = whole_number(_value(members.get("status_code"))) or 0
    body = members.get("body", "")
    return ResultResponse(
        status_code=status if 0 < status <= MAX_INT32 else 0,
        request_id=text(_value(members.get("request_id"))),
        body=Raw(body.encode()),
    )


def _error(value: object) -> ResultError | None:
    if isinstance(value, dict):
        return ResultError(code=text(value.get("code")), message=text(value.get("message")))
    return ResultError(message=text(value)) if value else None


def _fill_leniently(row: batch_service_pb2.BatchResult, body: bytes) -> None:
    """The model and the usage of a body in which something is not as documented."""
    try:
        members = _members(body.decode())
        usage = mapping(_value(members.get("usage")))
        model = text(_value(members.get("model")))
    except (ValueError, RecursionError):
        return
    row.model = model
    if usage:
        names = {"prompt": "input", "completion": "output"}
        known = {}
        for name, value in usage.items():
            first, _, rest = name.partition("_")
            known[f"{names.get(first, first)}_{rest}"] = value
        if said := usage_message(RestUsage.model_validate(known)):
            row.usage.MergeFrom(said)


def _value(member: str | None) -> Any:  # noqa: ANN401 - JSON is any value
    return None if member is None else _json.decode(member)


def _members(content: str) -> dict[str, str]:
    """The members of a JSON object, each value as the text that it is.

    Raises:
        ValueError: it is not a JSON object.
    """
    place = _skip(content, 0)
    if content[place : place + 1] != "{":
        raise ValueError("not an object")
    members: dict[str, str] = {}
    place = _skip(content, place + 1)
    while content[place : place + 1] != "}":
        if members:
            place = _expect(",", content, place)
        name, place = _json.raw_decode(content, place)
        if not isinstance(name, str):
            raise ValueError("a name that is no string")  # noqa: TRY004 - a fault of the text
        begin = _expect(":", content, _skip(content, place))
        _, place = _json.raw_decode(content, begin)
        members[name] = content[begin:place]
        place = _skip(content, place)
    if _skip(content, place + 1) != len(content):
        raise ValueError("more than an object")
    return members


def _expect(mark: str, content: str, place: int) -> int:
    if content[place : place + 1] != mark:
        raise ValueError(f"no {mark}")
    return _skip(content, place + 1)


def _skip(content: str, place: int) -> int:
    while content[place : place + 1] in {" ", "\t", "\r", "\n"}:
        place += 1
    return place
