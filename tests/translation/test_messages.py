"""The providers' objects as the contract has them, whatever they hold."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchgate.v1 import batch_pb2, batch_service_pb2, file_pb2
from batchgate_server.errors import InvalidField
from batchgate_server.operations import NewBatch
from batchgate_server.rest.models import RestBatch, RestFile
from batchgate_server.translation.batches import batch_message, new_batch
from batchgate_server.translation.files import file_message
from batchgate_server.translation.times import timestamp, whole_seconds
from tests.rest.test_models import objects_of


@settings(max_examples=30)  # large objects are slow to make
@given(document=objects_of(RestBatch))
@example(document={"id": "b", "created_at": -1e-20})
@example(document={"id": "b", "created_at": 253402300799})
@example(document={"id": "b", "created_at": -62135596800})
def test_any_batch_becomes_a_message(document: dict[str, Any]) -> None:
    message = batch_message(RestBatch.model_validate(document), provider="openai")
    assert batch_pb2.Batch.FromString(message.SerializeToString()) == message
    assert MessageToJson(message)


@given(document=objects_of(RestFile))
@example(document={"id": "f", "expires_at": -1e-20})
def test_any_file_becomes_a_message(document: dict[str, Any]) -> None:
    message = file_message(RestFile.model_validate(document), provider="openai")
    assert file_pb2.File.FromString(message.SerializeToString()) == message
    assert MessageToJson(message)


@given(seconds=st.floats(-62135596800, 253402300799))
@example(seconds=-1e-20)
@example(seconds=0.9999999999999999)
def test_any_time_is_a_valid_timestamp(seconds: float) -> None:
    stamp = timestamp(seconds)
    assert stamp is not None
    assert 0 <= stamp.nanos < 1_000_000_000
    assert stamp.seconds + stamp.nanos / 1e9 == pytest.approx(seconds, abs=1e-4)


def test_no_time_is_unset() -> None:
    assert timestamp(None) is None


@given(seconds=st.integers(-(10**6), 10**6), nanos=st.integers(-999_999_999, 999_999_999))
def test_durations(seconds: int, nanos: int) -> None:
    try:
        assert whole_seconds("expires_after", Duration(seconds=seconds, nanos=nanos)) == seconds
    except InvalidField:
        assert seconds <= 0 or nanos
    else:
        assert seconds > 0
        assert nanos == 0


@pytest.mark.parametrize("name", list(batch_pb2.BatchStatus.keys())[1:])
def test_each_status_of_a_batch(name: str) -> None:
    """Any case of the letters: Azure OpenAI's samples have `Validating`."""
    word = name.removeprefix("BATCH_STATUS_").lower()
    for written in (word, word.capitalize(), word.upper()):
        batch = RestBatch(id="b", status=written)
        message = batch_message(batch, provider="azure")
        assert batch_pb2.BatchStatus.Name(message.status) == name
        assert message.status_text == written


@pytest.mark.parametrize("name", list(file_pb2.FileStatus.keys())[1:])
def test_each_status_of_a_file(name: str) -> None:
    word = name.removeprefix("FILE_STATUS_").lower()
    message = file_message(RestFile(id="f", status=word), provider="azure")
    assert file_pb2.FileStatus.Name(message.status) == name
    assert message.status_text == word


@pytest.mark.parametrize("word", ["", "scheduling", "unspecified", "UNSPECIFIED", "größe"])
def test_an_unknown_status_is_unspecified_and_its_text(word: str) -> None:
    batch = batch_message(RestBatch(id="b", status=word), provider="openai")
    file = file_message(RestFile(id="f", status=word), provider="openai")
    assert (batch.status, batch.status_text) == (batch_pb2.BATCH_STATUS_UNSPECIFIED, word)
    assert (file.status, file.status_text) == (file_pb2.FILE_STATUS_UNSPECIFIED, word)


@pytest.mark.parametrize("counts", [None, {}, {"total": None, "completed": None, "failed": None}])
def test_counts_that_say_nothing_are_unset(counts: Any) -> None:
    """Null `request_counts`, and null members."""
    batch = RestBatch.model_validate({"id": "b", "request_counts": counts, "usage": {}})
    message = batch_message(batch, provider="azure")
    assert not message.HasField("request_counts")
    assert not message.HasField("usage")


def test_counts_of_zero_are_counts() -> None:
    batch = RestBatch.model_validate(
        {"id": "b", "request_counts": {"total": 0, "failed": None}, "usage": {"total_tokens": 0}}
    )
    message = batch_message(batch, provider="openai")
    assert message.request_counts == batch_pb2.BatchRequestCounts()
    assert message.HasField("request_counts")
    assert message.HasField("usage")


def test_usage() -> None:
    batch = RestBatch.model_validate(
        {
            "id": "b",
            "usage": {
                "input_tokens": 1,
                "input_tokens_details": {"cached_tokens": 2},
                "output_tokens": 3,
                "output_tokens_details": {"reasoning_tokens": 4},
                "total_tokens": 5,
            },
        }
    )
    assert batch_message(batch, provider="openai").usage == batch_pb2.BatchUsage(
        input_tokens=1,
        cached_input_tokens=2,
        output_tokens=3,
        reasoning_output_tokens=4,
        total_tokens=5,
    )


def test_a_file_of_unknown_size() -> None:
    """Azure OpenAI's `bytes` can be null: unset, which is not zero."""
    unknown = file_message(RestFile.model_validate({"id": "f", "bytes": None}), provider="azure")
    empty = file_message(RestFile.model_validate({"id": "f", "bytes": 0}), provider="azure")
    assert not unknown.HasField("size_bytes")
    assert empty.HasField("size_bytes")


def test_a_new_batch_by_default() -> None:
    request = batch_service_pb2.CreateBatchRequest(input_file_id="file-1", endpoint="/v1/responses")
    assert new_batch(request) == NewBatch(
        input_file_id="file-1",
        endpoint="/v1/responses",
        completion_window="24h",
        metadata={},
        output_expires_after_seconds=None,
    )
