"""Rows as the contract has them into lines of JSONL."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from google.protobuf.struct_pb2 import ListValue, Struct, Value

from batchgate.v1 import batch_service_pb2
from batchgate_server.jsonl.envelopes import TRUE
from batchgate_server.jsonl.issues import BYTE_ORDER_MARK
from batchgate_server.jsonl.rewriting import replace

# A double holds more whole numbers than JSON readers take for such; these are signed 64 bits.
WHOLE = 2.0**63
MALFORMED = "JSON is malformed: "


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
        """The line of a row.

        Raises:
            RowFault: there is none.
        """
        if not row.custom_id:
            raise RowFault("custom_id", "missing_required_parameter", "is required")
        match row.WhichOneof("body"):
            case "body_json":
                body, model = self._from_json(row.body_json)
            case "body_struct":
                body, model = self._from_struct(row.body_struct)
            case _:
                raise RowFault(
                    "body",
                    "missing_required_parameter",
                    "is required",
                )
        content = b'{"custom_id":%b%b%b}' % (_encode(row.custom_id), self._middle, body)
        return Line(
            content=content,
            model=model,
            sent_model=self._models.get(model, model),
            streams=b'"stream"' in body and _stream.decode(body).stream == TRUE,
        )

    def _from_json(self, text: str) -> tuple[bytes, str]:
        if text.startswith("\ufeff"):
            raise RowFault("body_json", BYTE_ORDER_MARK, "begins with a byte order mark")
        try:
            written = bytes(_body.decode(text).model)
        except msgspec.ValidationError:
            raise RowFault("body_json", "invalid_json_line", "is not a JSON object") from None
        except (msgspec.DecodeError, RecursionError) as exc:
            return self._from_odd_json(text, str(exc))
        # Outside of strings, where a newline is no JSON, it means nothing; in JSONL it would.
        body = text.replace("\r", " ").replace("\n", " ").encode()
        if written:
            model = _named(json.loads(written), "body_json")
            if model in self._models:
                body = replace(body, ("model",), written, _encode(self._models[model]))
            return body, model
        if not self._model:
            return body, ""
        begin = body.index(b"{") + 1
        rest = body[begin:]
        comma = b"" if rest.lstrip().startswith(b"}") else b","
        return b"%b%b%b%b" % (body[:begin], self._model_member, comma, rest), self._model

    def _from_odd_json(self, text: str, fault: str) -> tuple[bytes, str]:
        """The same by a reader that takes half a surrogate pair, as those of providers do."""
        try:
            body = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            message = fault.removeprefix(MALFORMED)
            raise RowFault("body_json", "invalid_json_line", message) from None
        if not isinstance(body, dict):
            raise RowFault("body_json", "invalid_json_line", "is not a JSON object")
        body, model = self._with_model(body, "body_json")
        try:
            return json.dumps(body, allow_nan=False).encode(), model
        except ValueError:
            raise RowFault(
                "body_json", "invalid_json_line", "has a number that is too large"
            ) from None

    def _with_model(self, body: dict[str, object], field: str) -> tuple[dict[str, object], str]:
        if self._model and "model" not in body:
            body = {"model": self._model, **body}
        if "model" not in body:
            return body, ""
        model = _named(body["model"], field)
        if model in self._models:
            body = {**body, "model": self._models[model]}
        return body, model

    def _from_struct(self, struct: Struct) -> tuple[bytes, str]:
        body, model = self._with_model(_members(struct), "body_struct")
        return _encode(body), model


def _named(model: object, field: str) -> str:
    if not isinstance(model, str):
        raise RowFault(f"{field}.model", "missing_required_parameter", "must be a string")
    if not model:
        raise RowFault(f"{field}.model", "missing_required_parameter", "must not be empty")
    # JSON may carry half a surrogate pair, which protobuf cannot.
    return model.encode("utf-8", "replace").decode()


def _no_constant(word: str) -> object:
    raise ValueError(word)


def _members(struct: Struct) -> dict[str, object]:
    return {name: _value(value) for name, value in struct.fields.items()}


def _items(values: ListValue) -> list[object]:
    return [_value(value) for value in values.values]


def _value(value: Value) -> object:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return _number(value.number_value)
        case "struct_value":
            return _members(value.struct_value)
        case "list_value":
            return _items(value.list_value)
        case "bool_value":
            return value.bool_value
        case "null_value":
            return None
        case _:
            raise RowFault("body_struct", "invalid_json_line", "has a value without a kind")


def _number(number: float) -> int | float:
    if not math.isfinite(number):
        raise RowFault(
            "body_struct",
            "invalid_json_line",
            "has NaN or infinity, which JSON has not",
        )
    return int(number) if number.is_integer() and abs(number) < WHOLE else number
