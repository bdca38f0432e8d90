"""Rows as the contract has them into lines of JSONL."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
from google.protobuf.struct_pb2 import Struct, Value

from batchgate.v1 import batch_service_pb2
from batchgate_server.jsonl.envelopes import TRUE
from batchgate_server.jsonl.halves import without_halves
from batchgate_server.jsonl.issues import BYTE_ORDER_MARK
from batchgate_server.jsonl.places import place
from batchgate_server.steps import Steps, at_once

# A double holds more whole numbers than JSON readers take for such; these are signed 64 bits.
WHOLE = 2.0**63
MALFORMED = "JSON is malformed: "
VALUES_AT_ONCE = 200


class _Body(msgspec.Struct):
    """What is looked at in a body; all else is only checked to be JSON."""

    model: msgspec.Raw = msgspec.Raw()


class _Stream(msgspec.Struct):
    stream: msgspec.Raw = msgspec.Raw()


_body = msgspec.json.Decoder(_Body)
_stream = msgspec.json.Decoder(_Stream)
_encode = msgspec.json.Encoder().encode


class RowFault(Exception):
    """A row that makes no line: the field at fault, the provider's word for it, and what is wrong."""

    def __init__(self, field: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its newline."""

    content: bytes
    whole: bytes
    """The same without halves of surrogate pairs."""
    model: str
    """The model that the row names, or that was filled in; empty if there is none."""
    sent_model: str
    """What it is called in the line."""
    streams: bool
    """Whether its body has `"stream": true`."""


class RowWriter:
    """Makes the lines of one batch: all go to one endpoint."""

    def __init__(self, *, endpoint: str, model: str, models: Mapping[str, str]) -> None:
        """`endpoint` is written as it is.

        `model` is for bodies that have none; empty leaves them as they are. `models` are replaced.
        """
        self._middle = b',"method":"POST","url":%b,"body":' % _encode(endpoint)
        self._model = model
        self._models = models
        self._model_member = b'"model":%b' % _encode(models.get(model, model))

    def line(self, row: batch_service_pb2.BatchLine) -> Line:
        """As `writing`, all steps at once."""
        return at_once(self.writing(row))

    def writing(self, row: batch_service_pb2.BatchLine) -> Steps[Line]:
        """The line of a row.

        Raises:
            RowFault: there is none.
        """
        if not row.custom_id:
            raise RowFault("custom_id", "missing_required_parameter", "is required")
        match row.WhichOneof("body"):
            case "body_json":
                body, whole, model = yield from self._from_json(row.body_json)
            case "body_struct":
                body, model = yield from self._from_struct(row.body_struct)
                whole = body
            case _:
                raise RowFault(
                    "body",
                    "missing_required_parameter",
                    "is required",
                )
        begin = b'{"custom_id":%b%b' % (_encode(row.custom_id), self._middle)
        content = b"%b%b}" % (begin, body)
        yield
        return Line(
            content=content,
            whole=content if whole is body else b"%b%b}" % (begin, whole),
            model=model,
            sent_model=self._models.get(model, model),
            streams=b'"stream"' in body and _stream.decode(whole).stream == TRUE,
        )

    def _from_json(self, text: str) -> Steps[tuple[bytes, bytes, str]]:
        """The body as it is to be sent, the same without halves of surrogate pairs, and its model."""
        if text.startswith("\ufeff"):
            raise RowFault("body_json", BYTE_ORDER_MARK, "begins with a byte order mark")
        given = text.encode()
        whole, named = yield from _read(given)
        yield
        written = bytes(named)
        start, end = place(whole, named) if written else (0, 0)
        # Outside of strings, where a newline is no JSON, it means nothing; in JSONL it would.
        body = given.replace(b"\r", b" ").replace(b"\n", b" ")
        whole = body if whole is given else whole.replace(b"\r", b" ").replace(b"\n", b" ")
        if written:
            if not written.startswith(b'"'):
                raise _no_text("body_json")
            model = _named(json.loads(given[start:end]), "body_json")
            new = _encode(self._models[model]) if model in self._models else b""
        elif self._model:
            start = end = body.index(b"{") + 1
            comma = b"" if body[start:].lstrip().startswith(b"}") else b","
            model, new = self._model, self._model_member + comma
        else:
            return body, whole, ""
        if not new:
            return body, whole, model
        changed = b"".join((body[:start], new, body[end:]))
        return (
            changed,
            changed if whole is body else b"".join((whole[:start], new, whole[end:])),
            model,
        )

    def _from_struct(self, struct: Struct) -> Steps[tuple[bytes, str]]:
        fields, first, model = struct.fields, b"", self._model
        if "model" in fields:
            if fields["model"].WhichOneof("kind") != "string_value":
                raise _no_text("body_struct")
            model = _named(fields["model"].string_value, "body_struct")
        elif model:
            first = self._model_member
        body = yield from _written(fields, first, self._models)
        return body, model


def _read(body: bytes) -> Steps[tuple[bytes, msgspec.Raw]]:
    """A body without halves of surrogate pairs, which providers take; and the model's text."""
    try:
        try:
            return body, _body.decode(body).model
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, RecursionError):
            yield
            whole = yield from without_halves(body)
            if whole is body:
                raise
            return whole, _body.decode(whole).model
    except msgspec.ValidationError:
        raise RowFault("body_json", "invalid_json_line", "is not a JSON object") from None
    except (msgspec.DecodeError, RecursionError) as exc:
        message = str(exc).removeprefix(MALFORMED)
        raise RowFault("body_json", "invalid_json_line", message) from None


def _written(fields: Mapping[str, Value], first: bytes, models: Mapping[str, str]) -> Steps[bytes]:
    """An object as JSON, begun with a member. Made value by value: nothing of it is built before."""
    out = bytearray(b"{" + first)
    open_ones: list[tuple[Iterator[tuple[str, Value]] | Iterator[Value], bytes]]
    open_ones = [(iter(fields.items()), b"}")]
    comma = bool(first)
    count = 0
    while open_ones:
        count += 1
        if not count % VALUES_AT_ONCE:
            yield
        members, close = open_ones[-1]
        member = next(members, None)
        if member is None:
            open_ones.pop()
            out += close
            comma = True
            continue
        if comma:
            out += b","
        comma = True
        if isinstance(member, tuple):
            name, value = member
            out += _encode(name)
            out += b":"
            if len(open_ones) == 1 and name == "model":
                out += _encode(models.get(value.string_value, value.string_value))
                continue
        else:
            value = member
        match value.WhichOneof("kind"):
            case "struct_value":
                open_ones.append((iter(value.struct_value.fields.items()), b"}"))
                out += b"{"
                comma = False
            case "list_value":
                open_ones.append((iter(value.list_value.values), b"]"))
                out += b"["
                comma = False
            case kind:
                out += _encode(_scalar(value, kind))
    return bytes(out)


def _scalar(value: Value, kind: str | None) -> object:
    match kind:
        case "string_value":
            return value.string_value
        case "number_value":
            return _number(value.number_value)
        case "bool_value":
            return value.bool_value
        case "null_value":
            return None
        case _:
            raise RowFault("body_struct", "invalid_json_line", "has a value without a kind")


def _no_text(field: str) -> RowFault:
    return RowFault(f"{field}.model", "missing_required_parameter", "must be a string")


def _named(model: str, field: str) -> str:
    if not model:
        raise RowFault(f"{field}.model", "missing_required_parameter", "must not be empty")
    # JSON may carry half a surrogate pair, which protobuf cannot.
    return model.encode("utf-8", "replace").decode()


def _number(number: float) -> int | float:
    if not math.isfinite(number):
        raise RowFault(
            "body_struct",
            "invalid_json_line",
            "has NaN or infinity, which JSON has not",
        )
    return int(number) if number.is_integer() and abs(number) < WHOLE else number
