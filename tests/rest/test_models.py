"""The providers' objects decoded: a strange field is no reason to fail."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from batchgate_server.rest.models import RestBatch, RestFile, moment, whole_number

# What JSON can hold, also what only Python's reader takes for it.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["", "NaN", "1e999", "-1", "9" * 30, "2024-07-19T17:13:57.2491382+00:00"])
    | st.sampled_from([0, -1, 2**63, -(2**63), 10**400, 1e308, -1e-20, 253402300799, "\ud800"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def objects_of(model: type[RestBatch] | type[RestFile]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the model's fields, each of any value or absent."""
    nested = st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(
            (
                *("total", "completed", "failed"),
                *("input_tokens", "output_tokens", "total_tokens"),
                *("input_tokens_details", "output_tokens_details"),
                *("cached_tokens", "reasoning_tokens"),
                *("data", "code", "message", "param", "line"),
            ),
            JSON,
        ),
    )
    return st.fixed_dictionaries(
        {"id": st.just("id-1")},
        optional={name: JSON | nested for name in model.model_fields if name != "id"},
    )


@settings(max_examples=30)  # large objects are slow to make
@given(document=objects_of(RestBatch))
def test_any_batch_with_an_id_is_read(document: dict[str, Any]) -> None:
    assert RestBatch.model_validate(document).id == "id-1"


@given(document=objects_of(RestFile))
def test_any_file_with_an_id_is_read(document: dict[str, Any]) -> None:
    assert RestFile.model_validate(document).id == "id-1"


def test_a_number_longer_than_python_writes_is_nothing() -> None:
    endless = 10**5000
    batch = RestBatch.model_validate(
        {"id": "b", "endpoint": endless, "created_at": endless, "metadata": {"key": endless}}
        | {"request_counts": {"total": endless}, "errors": {"data": {"line": "9" * 5000}}}
    )
    assert (batch.endpoint, batch.created_at, batch.metadata) == ("", None, {"key": ""})
    assert batch.errors[0].line is None


@given(document=JSON)
@pytest.mark.parametrize("model", [RestBatch, RestFile])
def test_anything_else_is_refused_in_one_way(model: type[RestBatch], document: object) -> None:
    try:
        read = model.model_validate(document)
    except ValidationError:
        return
    assert read.id


def test_microsofts_own_samples() -> None:
    """Capitalised status, ISO 8601 for times, empty texts for null, null counts, text for a line."""
    batch = RestBatch.model_validate(
        {
            "cancelled_at": None,
            "cancelling_at": None,
            "completed_at": "2024-07-19T17:21:57.0141705+00:00",
            "completion_window": "24h",
            "created_at": "2024-07-19T17:13:57.2491382+00:00",
            "error_file_id": "",
            "expired_at": None,
            "expires_at": "2024-07-20T17:13:57.1918498Z",
            "failed_at": None,
            "finalizing_at": "",
            "id": "batch_fe3f047a-de39-4068-9008-346795bfc1db",
            "in_progress_at": None,
            "input_file_id": "file-21006e70789246658b86a1fc205899a4",
            "errors": {"object": "list", "data": {"code": "x", "message": None, "line": "7"}},
            "metadata": None,
            "object": "batch",
            "endpoint": None,
            "output_file_id": "",
            "request_counts": {"completed": None, "failed": None, "total": None},
            "status": "Validating",
            "error_blob": "",
        }
    )
    assert batch.created_at == pytest.approx(1721409237.249138)
    assert batch.completed_at == pytest.approx(1721409717.014170)
    assert batch.expires_at == pytest.approx(1721495637.191849)
    assert batch.finalizing_at is None
    assert batch.in_progress_at is None
    assert (batch.endpoint, batch.output_file_id, batch.error_file_id) == ("", "", "")
    assert batch.status == "Validating"
    assert batch.metadata == {}
    assert batch.request_counts is not None
    assert batch.request_counts.total is None
    (error,) = batch.errors
    assert (error.code, error.message, error.line) == ("x", "", 7)


@pytest.mark.parametrize("metadata", [None, {}, [], "", "text", 7])
def test_no_metadata_is_empty(metadata: object) -> None:
    """Metadata null, absent and empty are one."""
    assert RestBatch.model_validate({"id": "b", "metadata": metadata}).metadata == {}
    assert RestBatch.model_validate({"id": "b"}).metadata == {}


def test_metadata_of_other_types_becomes_json() -> None:
    metadata = {"a": 1, "b": None, "c": {"d": [True]}, "e": "text", "f": ""}
    read = RestBatch.model_validate({"id": "b", "metadata": metadata}).metadata
    assert read == {"a": "1", "b": "null", "c": '{"d": [true]}', "e": "text", "f": ""}


@pytest.mark.parametrize(
    "errors",
    [None, [], {}, {"object": "list"}, {"data": None}, {"data": []}, {"data": [None, {}]}, ""],
)
def test_no_errors(errors: object) -> None:
    assert RestBatch.model_validate({"id": "b", "errors": errors}).errors == []


@pytest.mark.parametrize(
    "errors",
    [
        {"object": "list", "data": [{"code": "x"}]},
        {"data": {"code": "x"}},
        [{"code": "x"}],
        {"code": "x"},
    ],
)
def test_the_ways_of_listing_an_error(errors: object) -> None:
    (error,) = RestBatch.model_validate({"id": "b", "errors": errors}).errors
    assert error.code == "x"


@pytest.mark.parametrize("model", [RestBatch, RestFile])
@pytest.mark.parametrize("bad", [None, "", {}, [], [1]])
def test_without_an_id_it_is_nothing(model: type[RestBatch], bad: object) -> None:
    with pytest.raises(ValidationError):
        model.model_validate({"id": bad})
    with pytest.raises(ValidationError):
        model.model_validate({"object": "batch"})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1711493163, 1711493163),
        ("1711493163", 1711493163),
        (1711493163.5, 1711493163.5),
        ("2024-03-26T22:46:03Z", 1711493163),
        ("2024-03-26T22:46:03", 1711493163),
        ("2024-03-27T00:46:03+02:00", 1711493163),
        (0, None),
        ("", None),
        ("soon", None),
        (None, None),
        (True, None),
        ([], None),
        (float("nan"), None),
        (float("inf"), None),
        (1e300, None),
        ("99999-01-01", None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_times(value: object, seconds: float | None) -> None:
    assert moment(value) == seconds


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (7, 7),
        ("7", 7),
        ("7.0", 7),
        (7.9, 7),
        ("-1", -1),
        (True, None),
        ("", None),
        ("seven", None),
        ("1.e999", None),
        (2**63, None),
        (2**63 - 1, 2**63 - 1),
        (float("nan"), None),
        ([7], None),
        (None, None),
    ],
)
def test_numbers(value: object, number: int | None) -> None:
    assert whole_number(value) == number


def test_new_fields_and_words_are_no_error() -> None:
    """An unknown status or purpose, a new field, a missing optional field: never an error."""
    file = RestFile.model_validate(
        {"id": "f", "purpose": "dreams", "status": "dreaming", "new": {"nested": [1]}}
    )
    assert (file.purpose, file.status, file.bytes, file.filename) == (
        "dreams",
        "dreaming",
        None,
        "",
    )
    again = RestFile.model_validate(json.loads('{"id": "f", "purpose": null, "bytes": null}'))
    assert (again.purpose, again.bytes) == ("", None)
