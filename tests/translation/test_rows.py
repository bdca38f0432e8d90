"""Rows become lines that say the same."""

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import NULL_VALUE as NULL
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given, settings
from hypothesis import strategies as st

from batchgate.v1.batch_service_pb2 import BatchLine
from batchgate_server.translation.rows import RowFault, RowWriter

ENDPOINT = "/v1/chat/completions"

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | texts
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20
)
bodies = st.tuples(
    st.dictionaries(texts.filter(lambda name: name != "model"), values),
    st.just({}) | st.fixed_dictionaries({"model": texts.filter(bool)}),
).map(lambda parts: {**parts[0], **parts[1]})


def writer(*, model: str = "", models: Mapping[str, str] | None = None) -> RowWriter:
    return RowWriter(endpoint=ENDPOINT, model=model, models=models or {})


def written(
    row: BatchLine, *, model: str = "", models: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], str]:
    """The line of a row, parsed, and the model that is told of it."""
    line = writer(model=model, models=models).line(row)
    assert b"\n" not in line.content
    assert b"\r" not in line.content
    return json.loads(line.content), line.model


def struct(body: dict[str, Any]) -> Struct:
    return ParseDict(body, Struct())


@settings(max_examples=40)
@given(texts.filter(bool), bodies, st.sampled_from([None, 1]))
def test_a_line_of_json_says_what_the_row_says(
    custom_id: str, body: dict[str, Any], indent: int | None
) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=indent is None)
    line, _ = written(BatchLine(custom_id=custom_id, body_json=text))
    assert line == {"custom_id": custom_id, "method": "POST", "url": ENDPOINT, "body": body}


@settings(max_examples=40)
@given(bodies)
def test_a_line_of_a_struct_says_what_the_row_says(body: dict[str, Any]) -> None:
    line, _ = written(BatchLine(custom_id="a", body_struct=struct(body)))
    # A Struct has doubles only.
    doubles = json.loads(json.dumps(body), parse_int=lambda digits: int(float(digits)))
    assert line["body"] == doubles


@settings(max_examples=40)
@given(bodies, texts.filter(bool))
def test_the_model_is_filled_in_where_there_is_none(body: dict[str, Any], model: str) -> None:
    for row in (
        BatchLine(custom_id="a", body_json=json.dumps(body)),
        BatchLine(custom_id="a", body_json=json.dumps(body, indent=2)),
    ):
        line, told = written(row, model=model)
        assert line["body"] == {"model": model, **body}
        assert told == body.get("model", model)


@given(bodies, texts.filter(bool))
def test_a_model_is_replaced(body: dict[str, Any], model: str) -> None:
    text = json.dumps({**body, "model": model})
    for row in (
        BatchLine(custom_id="a", body_json=text),
        BatchLine(custom_id="a", body_json=json.dumps({**body, "model": model}, indent=1)),
        BatchLine(custom_id="a", body_struct=ParseDict({"model": model}, Struct())),
        BatchLine(custom_id="a", body_json="{}"),
    ):
        line, told = written(row, model=model, models={model: "deployment"})
        assert line["body"]["model"] == "deployment"
        assert told == model
        if len(line["body"]) == len({**body, "model": 1}):
            assert line["body"] == {**body, "model": "deployment"}


def test_json_stays_as_it_is() -> None:
    body = '{ "b":1.0,"a" :1e2, "n": 12345678901234567890123 , "s":"\\u00e4\\/ä", "a":2 }'
    line = writer(model="").line(BatchLine(custom_id="a", body_json=body))
    assert body.encode() in line.content


def test_newlines_between_members_go_and_those_in_strings_stay() -> None:
    line, _ = written(BatchLine(custom_id="a", body_json='\r\n{\n"text": "one\\ntwo",\r"n":\n1}\n'))
    assert line["body"] == {"text": "one\ntwo", "n": 1}


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (-3.0, "-3"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (2.0**53, "9007199254740992"),
        (1e18, "1000000000000000000"),
        (1e300, "1e300"),
        (-1e300, "-1e300"),
    ],
)
def test_whole_numbers_of_a_struct_are_integers(number: float, text: str) -> None:
    row = BatchLine(custom_id="a", body_struct=struct({"n": number, "in": [{"n": number}]}))
    content = writer(model="").line(row).content.decode()
    assert content.count(f'"n":{text}}}') + content.count(f'"n":{text},') == 2


def test_a_struct_gets_the_model_too() -> None:
    line, model = written(BatchLine(custom_id="a", body_struct=struct({"n": 1})), model="gpt-4o")
    assert line["body"] == {"model": "gpt-4o", "n": 1}
    assert model == "gpt-4o"


def test_half_a_surrogate_pair_is_no_fault() -> None:
    body = '{"model": "x", "text": "\\ud83d"}'
    line, model = written(BatchLine(custom_id="a", body_json=body))
    assert (line["body"]["text"], model) == ("\ud83d", "x")
    line, model = written(BatchLine(custom_id="a", body_json='{"text": "\\ud83d"}'), model="y")
    assert (line["body"]["model"], model) == ("y", "y")
    assert written(BatchLine(custom_id="a", body_json='{"model": "\\ud83d"}'))[1] == "?"
    assert written(BatchLine(custom_id="a", body_json='{"text": "\\ud83d"}'))[1] == ""
    body = '{"text": "\\ud83d x", "model": "\\u0078"}'
    line, model = written(BatchLine(custom_id="a", body_json=body), models={"x": "y"})
    assert (line["body"], model) == ({"text": "\ud83d x", "model": "y"}, "x")


def test_a_model_whose_name_is_written_with_escapes() -> None:
    row = BatchLine(custom_id="a", body_json='{"mod\\u0065l": "\\u0079"}')
    line, model = written(row, model="x", models={"y": "z"})
    assert (line["body"], model) == ({"model": "z"}, "y")


@pytest.mark.parametrize(
    ("row", "field", "code"),
    [
        (BatchLine(body_json="{}"), "custom_id", "missing_required_parameter"),
        (BatchLine(custom_id="a", body_json="\ufeff{}"), "body_json", "byte_order_mark"),
        (BatchLine(custom_id="a"), "body", "missing_required_parameter"),
        *(
            (
                BatchLine(custom_id="a", body_json=f'{{"model": {model}}}'),
                "body_json.model",
                "missing_required_parameter",
            )
            for model in ("5", "null", "[1]", '""')
        ),
        (
            BatchLine(custom_id="a", body_struct=Struct(fields={"model": Value(null_value=NULL)})),
            "body_struct.model",
            "missing_required_parameter",
        ),
        *(
            (BatchLine(custom_id="a", body_json=text), "body_json", "invalid_json_line")
            for text in (
                "",
                "{",
                "{} {}",
                "[1]",
                "null",
                "5",
                '"text"',
                '{"a": NaN}',
                '{"a": 1,}',
                '{"a": "one\ntwo"}',
                '["\\ud83d"]',
                '{"a": "\\ud83d", "b": NaN}',
                '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
            )
        ),
        *(
            (
                BatchLine(custom_id="a", body_struct=Struct(fields={"n": value})),
                "body_struct",
                "invalid_json_line",
            )
            for value in (
                Value(number_value=math.nan),
                Value(number_value=math.inf),
                Value(number_value=-math.inf),
                Value(),
            )
        ),
    ],
)
def test_faults(row: BatchLine, field: str, code: str) -> None:
    with pytest.raises(RowFault) as raised:
        writer(model="x").line(row)
    assert (raised.value.field, raised.value.code) == (field, code)
    assert len(raised.value.message) < 100
