"""One line of a provider's file, and its row."""

import json
from time import thread_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgate.v1 import batch_pb2
from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.translation.results import add_result, read_line
from tests import hostile

CHAT = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-mini",
    "choices": [{"message": {"content": 'of "model": "other" and "usage": {}'}}],
    "usage": {
        "prompt_tokens": 22,
        "completion_tokens": 2,
        "total_tokens": 24,
        "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
}
RESPONSES = {
    "model": "gpt-4o",
    "usage": {
        "input_tokens": 22,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 24,
    },
}
USAGE = batch_pb2.BatchUsage(
    input_tokens=22,
    cached_input_tokens=5,
    output_tokens=2,
    reasoning_output_tokens=1,
    total_tokens=24,
)


def row_of(line: bytes) -> pb.BatchResult:
    message = pb.StreamBatchResultsResponse()
    add_result(message, read_line(line), number=7)
    assert len(message.results) == 1
    return message.results[0]


def row(body: object, status: object = 200, **line: Any) -> pb.BatchResult:
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return row_of(
        json.dumps({"custom_id": "a", "response": response, "error": None, **line}).encode()
    )


def test_an_answer_is_a_success() -> None:
    assert row(CHAT) == pb.BatchResult(
        custom_id="a",
        line=7,
        succeeded=True,
        model="gpt-4o-mini",
        usage=USAGE,
        response=pb.BatchResultResponse(
            status_code=200, provider_request_id="req_1", body_json=json.dumps(CHAT)
        ),
    )


def test_the_usage_of_responses_and_embeddings() -> None:
    assert row(RESPONSES).usage == USAGE
    embeddings = {"model": "e", "data": [], "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    assert row(embeddings).usage == batch_pb2.BatchUsage(input_tokens=9, total_tokens=9)


@pytest.mark.parametrize(
    ("body", "model", "usage"),
    [
        ({"model": 5, "usage": {"prompt_tokens": "22"}}, "5", {"input_tokens": 22}),
        ({"model": None, "usage": None}, "", None),
        ({"model": ["x"], "usage": [1]}, "", None),
        (
            {"usage": {"input_tokens": 1.5, "output_tokens": 3.0}},
            "",
            {"input_tokens": 1, "output_tokens": 3},
        ),
        (
            {"usage": {"completion_tokens": 2**70, "prompt_tokens_details": {"cached_tokens": 4}}},
            "",
            {"cached_input_tokens": 4},
        ),
        ({"usage": {"prompt_tokens": 1, "prompt_tokens_details": "?"}}, "", {"input_tokens": 1}),
        ({"usage": {"prompt_tokens": "many"}}, "", None),
        ({"model": "m", "text": "\ud800"}, "m", None),
        ({"model": "\ud800", "text": float("nan")}, "?", None),
    ],
)
def test_a_body_of_another_form_gives_what_can_be_read(
    body: object, model: str, usage: dict[str, int] | None
) -> None:
    result = row(body)
    assert result.succeeded
    assert result.response.body_json == json.dumps(body)
    assert result.model == model
    assert result.usage == batch_pb2.BatchUsage(**(usage or {}))


@pytest.mark.parametrize("custom_id", ['"a"', "5"])
@pytest.mark.parametrize("body", ["", ', "body": null'])
def test_no_body(custom_id: str, body: str) -> None:
    result = row_of(
        f'{{"custom_id": {custom_id}, "response": {{"status_code": 200{body}}}}}'.encode()
    )
    assert result.response == pb.BatchResultResponse(status_code=200)


def test_a_body_that_is_too_much_for_its_model_is_given_all_the_same() -> None:
    body = f'{{"model": 5, "usage": {{"digits": {"9" * 5000}}}}}'
    result = row_of(f'{{"response": {{"status_code": 200, "body": {body}}}}}'.encode())
    assert result.response.body_json == body
    assert result.succeeded
    assert result.model == ""


def test_what_is_not_looked_at_is_not_built() -> None:
    """Python refuses so many digits, and takes seconds for so many lists."""
    lists = hostile.value("half a pair, then nested lists", 4 * 1024 * 1024).decode()
    body = f'{{"model": 5, "digits": {"9" * 5000}, "x": {lists}}}'
    began = thread_time()
    result = row_of(f'{{"response": {{"status_code": 200, "body": {body}}}}}'.encode())
    assert thread_time() - began < 1
    assert result.response.body_json == body
    assert result.succeeded
    assert result.model == "5"


@pytest.mark.parametrize("body", [[1], "text", 5, True])
def test_a_body_that_is_no_object_comes_as_it_is(body: object) -> None:
    assert row(body).response.body_json == json.dumps(body)


def test_the_body_is_not_written_anew() -> None:
    body = '{ "model" : "m",\t"n": 1.0e2, "text": "caf\\u00e9 \\/ é", "model": "k" }'
    result = row_of(
        f'{{"response": {{"body": {body} , "status_code": 200}}, "custom_id": "a"}}'.encode()
    )
    assert result.response.body_json == body


def test_a_status_from_400_on_is_a_failure_with_an_answer() -> None:
    body = {"error": {"message": "no", "code": "invalid_request"}}
    result = row(body, 400)
    assert not result.succeeded
    assert result.response.status_code == 400
    assert json.loads(result.response.body_json) == body
    assert not result.HasField("usage")
    assert row(CHAT, 399).succeeded


def test_no_answer_is_a_failure_with_an_error() -> None:
    error = {"code": "batch_expired", "message": "too late"}
    result = row_of(json.dumps({"custom_id": "a", "response": None, "error": error}).encode())
    assert result == pb.BatchResult(custom_id="a", line=7, error=pb.BatchResultError(**error))


def test_with_both_the_one_that_explains_more_is_given() -> None:
    error = {"code": "c", "message": "m"}
    assert row({"error": {}}, 500, error=error).WhichOneof("outcome") == "response"
    for status in (0, 200, None):
        result = row("", status, error=error)
        assert result.error.code == "c"
        assert not result.succeeded


@pytest.mark.parametrize("error", [None, {}, {"code": None, "message": None}, ""])
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    assert row(CHAT, error=error).succeeded


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ({"code": 500, "message": ["?"]}, "500", "?"),
        ("out of order", "", "out of order"),
        ({"code": "\ud800"}, "?", ""),
    ],
)
def test_an_error_of_another_form(error: object, code: str, message: str) -> None:
    result = row_of(json.dumps({"custom_id": "a", "error": error}).encode())
    assert (result.error.code, result.error.message) == (code, message)
    assert not result.succeeded


@pytest.mark.parametrize(
    ("line", "custom_id"),
    [
        ('{"custom_id": 5}', "5"),
        ('{"custom_id": null}', ""),
        ("{}", ""),
        ('{"custom_id": "\\ud800"}', "?"),
        ('{"custom_id": "\\ud83d\\ude00 é"}', "😀 é"),
        ('\ufeff {"custom_id" : "a" } \r', "a"),
        ('{"custom_id": "a", "id": [{"b": "}"}], "response": "words"}', "a"),
    ],
)
def test_a_line_of_another_form_keeps_its_id(line: str, custom_id: str) -> None:
    result = row_of(line.encode())
    assert result.custom_id == custom_id
    assert result.WhichOneof("outcome") != "error"


@pytest.mark.parametrize("status", ["200", 200.0])
def test_a_status_in_words(status: object) -> None:
    assert row({}, status).response.status_code == 200


@pytest.mark.parametrize("status", [2**40, -1, "good"])
def test_a_status_that_is_none(status: object) -> None:
    result = row({}, status)
    assert (result.response.status_code, result.succeeded) == (0, False)


@pytest.mark.parametrize("response", ["{}", '{"body": {}}', '{"status_code": 0}', '"words"', "[]"])
def test_an_answer_without_a_status_is_no_success(response: str) -> None:
    result = row_of(b'{"custom_id": "a", "response": %b}' % response.encode())
    assert result.WhichOneof("outcome") == "response"
    assert not result.succeeded


@pytest.mark.parametrize(
    "line",
    [
        b"secret",
        b"",
        b"[1]",
        b"5",
        b"null",
        b'"text"',
        b'{"custom_id": "a"',
        b'{"custom_id": "a",}',
        b'{,"custom_id": "a"}',
        b'{"custom_id"; "a"}',
        b'{5: "a"}',
        b'{"custom_id": "a"} {}',
        b'{"custom_id": "a", "response": {"body": tru}}',
        b"\x00\x1f\x8b",
        b"[" * 100_000,
        b'{"response": {"body": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_object_is_an_error_with_its_line(line: bytes) -> None:
    result = row_of(line)
    assert result.error.code == "unreadable_line"
    assert result.line == 7
    assert not result.succeeded
    assert "secret" not in str(result)


@pytest.mark.parametrize("place", [b'"a\xff"', b'"a", "response": {"body": "secret\xff"}'])
def test_what_is_not_utf_8_is_an_error(place: bytes) -> None:
    result = row_of(b'{"custom_id": ' + place + b"}")
    assert result.error.code == "unreadable_line"
    assert result.custom_id.startswith("a")
    assert not result.succeeded
    assert "secret" not in str(result)


names = st.sampled_from(
    ["custom_id", "response", "error", "status_code", "body", "usage", "model", "message"]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
inner = st.dictionaries(names, scalars, max_size=4)
objects = st.dictionaries(
    names, scalars | st.dictionaries(names, scalars | inner, max_size=4), max_size=4
)
# The machine may be busy.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(objects)
def test_any_object_is_a_row_with_its_id(value: dict[str, Any]) -> None:
    result = row_of(json.dumps(value).encode())
    assert result.error.code != "unreadable_line"
    if isinstance(value.get("custom_id"), str):
        assert result.custom_id == value["custom_id"].encode(errors="replace").decode()
    response = value.get("response")
    if isinstance(response, dict) and result.HasField("response") and "body" in response:
        body = response["body"]
        assert result.response.body_json == ("" if body is None else json.dumps(body))


@patient
@given(st.binary())
def test_any_bytes_are_a_row(line: bytes) -> None:
    assert row_of(line).line == 7


reasons = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF), min_size=1, max_size=40)


def in_any_shape(reason: str) -> st.SearchStrategy[object]:
    """The text as servers that are nearly OpenAI write it, or one within another."""
    return st.recursive(
        st.just(reason),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.builds(lambda value: {"error": value}, inner)
            | st.builds(lambda value, code: {"message": value, "code": code}, inner, codes)
            | st.builds(lambda value: {"detail": value, "type": None}, inner)
        ),
        max_leaves=3,
    )


codes = st.none() | st.integers(400, 599) | st.sampled_from(["bad", "context_length"])
answers = st.sampled_from(
    [
        None,
        {},
        {"status_code": 200, "body": {"id": "x"}},
        {"status_code": 400, "request_id": "x", "body": None},
        {"status_code": 0, "body": {}},
    ]
)


@patient
@given(reasons.flatmap(lambda reason: st.tuples(st.just(reason), in_any_shape(reason))), answers)
def test_what_went_wrong_is_said_whatever_shape_it_has(
    said: tuple[str, object], answer: object
) -> None:
    reason, error = said
    line = {"custom_id": "a", "response": answer, "error": error}
    for content in (line, {key: value for key, value in line.items() if value is not None}):
        result = row_of(json.dumps(content).encode())
        assert not result.succeeded
        assert result.custom_id == "a"
        assert reason in result.error.message
