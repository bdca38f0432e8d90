"""Rows of results that come in parts: given out whole and once, also where the stream breaks off in one."""

from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client.errors import BatchgateError
from batchgate_client.joining import Joiner
from tests.clients.python.test_patience import BATCHES, UNAVAILABLE, Fake, Read, read

__all__ = ["read"]


@pytest.fixture
def fake() -> Fake:
    return Fake()


def row(custom_id: str, body: str, *, continues: bool = False) -> pb.BatchResult:
    response = pb.BatchResultResponse(status_code=200, body_json=body)
    return pb.BatchResult(
        custom_id=custom_id, line=7, response=response, succeeded=True, body_continues=continues
    )


def message(token: str, *rows: pb.BatchResult) -> pb.StreamBatchResultsResponse:
    return pb.StreamBatchResultsResponse(results=rows, resume_token=token)


def test_parts_are_joined(fake: Fake, read: Read) -> None:
    results = fake.client.results("batch_a")
    reader = read(results)
    _, rpc = fake.taken(BATCHES, "StreamBatchResults")
    rpc.send_response(message("t1", row("a", '{"a":1}')))
    rpc.send_response(message("t1", row("b", '{"b":', continues=True)))
    rpc.send_response(message("t1", row("b", '"ü', continues=True)))
    rpc.send_response(message("t2", row("b", '"}'), row("c", "{}")))
    rpc.terminate((), grpc.StatusCode.OK, "")
    rows = [reader.next() for _ in range(3)]
    reader.end()
    assert [(one.custom_id, one.response.body_json) for one in rows] == [
        ("a", '{"a":1}'),
        ("b", '{"b":"ü"}'),
        ("c", "{}"),
    ]
    assert not any(one.body_continues for one in rows)
    assert results.resume_token == "t2"


@pytest.mark.parametrize("shape", ["rows", "messages"])
def test_what_came_of_a_row_before_a_break_is_dropped(fake: Fake, read: Read, shape: str) -> None:
    """With it the rows that came in one message with its first part: they come anew too."""
    results = fake.client.results("batch_a")
    reader = read(results if shape == "rows" else results.messages())
    _, rpc = fake.taken(BATCHES, "StreamBatchResults")
    rpc.send_response(message("t1", row("a", "{}")))
    reader.next()
    assert results.resume_token == "t1"
    rpc.send_response(message("t1", row("b", "{}"), row("c", '{"old', continues=True)))
    rpc.terminate((), UNAVAILABLE, "gone")
    request, rpc = fake.taken(BATCHES, "StreamBatchResults")
    assert request.resume_token == results.resume_token == "t1"
    rpc.send_response(message("t1", row("b", "{}"), row("c", '{"new', continues=True)))
    rpc.send_response(message("t2", row("c", '":1}')))
    came: list[Any] = []
    while sum(len(getattr(one, "results", [one])) for one in came) < 2:
        came.append(reader.next())
    rpc.terminate((), grpc.StatusCode.OK, "")
    reader.end()
    rows = [each for one in came for each in getattr(one, "results", [one])]
    assert [(one.custom_id, one.response.body_json) for one in rows] == [
        ("b", "{}"),
        ("c", '{"new":1}'),
    ]
    assert results.resume_token == "t2"


def test_an_end_in_the_middle_of_a_row_is_an_error(fake: Fake, read: Read) -> None:
    reader = read(fake.client.results("batch_a"))
    _, rpc = fake.taken(BATCHES, "StreamBatchResults")
    rpc.send_response(message("", row("a", "{", continues=True)))
    rpc.terminate((), grpc.StatusCode.OK, "")
    with pytest.raises(BatchgateError, match="the results end in the middle of a, line 7"):
        reader.end()


def test_parts_are_joined_once_and_not_each_to_those_before() -> None:
    """Adding each part to those before would take the square of the time."""
    joiner, part = Joiner(), row("a", "x" * 4096, continues=True)
    for _ in range(100):
        assert joiner.whole(message("t", part)) is None
    assert [len(one) for one in joiner._parts] == [4096] * 100
    whole = joiner.whole(message("t", row("a", "")))
    assert whole is not None
    assert len(whole.results[0].response.body_json) == 100 * 4096
