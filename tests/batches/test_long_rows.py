"""Rows whose bodies are longer than a message: cut, and the same again when they are joined."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches.results import Pace
from batchgate_server.translation.results import cut_result, read_line
from tests.batches.provider import Held
from tests.batches.test_results import messages_of, rows_of, success

MESSAGE_BYTES = 2 * 1024 * 1024


def joined(rows: list[pb.BatchResult]) -> dict[str, str]:
    """The body of each row."""
    bodies: dict[str, str] = {}
    open_id = ""
    for row in rows:
        assert not open_id or row.custom_id == open_id
        bodies[row.custom_id] = bodies.get(row.custom_id, "") + row.response.body_json
        open_id = row.custom_id if row.body_continues else ""
    assert not open_id
    return bodies


async def test_a_long_body_is_cut_over_messages() -> None:
    content = b"\n".join([success("a"), success("b", text="é" * 3_000_000), success("c")])
    messages = await messages_of(Held(output=[content]))
    assert max(message.ByteSize() for message in messages) < MESSAGE_BYTES
    rows = rows_of(messages)
    assert [row.custom_id for row in rows if not row.body_continues] == ["a", "b", "c"]
    parts = [row for row in rows if row.custom_id == "b"]
    assert len(parts) > 2
    assert all(row.succeeded and row.line == 2 and row.model == parts[0].model for row in parts)
    whole = json.loads(content.splitlines()[1])["response"]["body"]
    assert json.loads(joined(rows)["b"]) == whole


async def test_whoever_resumes_within_a_row_gets_it_anew() -> None:
    content = b"\n".join([success("a"), success("b", text="x" * 2_000), success("c")])
    pace = Pace(row_bytes=500)
    messages = await messages_of(Held(output=[content]), pace=pace)
    whole = joined(rows_of(messages))
    assert list(whole) == ["a", "b", "c"]
    for number, message in enumerate(messages, 1):
        rest = await messages_of(
            Held(output=[content]), pace=pace, resume_token=message.resume_token
        )
        if message.results[-1].body_continues:
            assert list(joined(rows_of(rest))) == ["b", "c"]
        else:
            assert rows_of(rest) == rows_of(messages[number:])


async def test_a_long_row_of_the_wrong_outcome_is_left_out() -> None:
    content = b"\n".join([success("a"), success("b", text="x" * 2_000)])
    wanted = pb.RESULT_FILTER_FAILED
    assert rows_of(await messages_of(Held(output=[content]), filter=wanted)) == []


@given(text=st.text(min_size=1, max_size=80), part_bytes=st.integers(4, 30))
def test_parts_are_text_and_together_the_body(text: str, part_bytes: int) -> None:
    body = json.dumps({"x": text}, ensure_ascii=False)
    line = read_line(
        b'{"custom_id":"a","response":{"status_code":200,"body":%b}}'
        % body.encode("utf-8", "replace")
    )
    rows = rows_of(list(cut_result(line, number=1, part_bytes=part_bytes)))
    assert joined(rows)["a"] == body.encode("utf-8", "replace").decode()
    assert all(len(row.response.body_json.encode()) <= part_bytes for row in rows)


@pytest.mark.parametrize("custom_id", ["x" * 70_000, "\ud800" * 70_000])
async def test_an_id_that_leaves_no_room_is_an_error_row(custom_id: str) -> None:
    line = json.dumps({"custom_id": custom_id, "response": {"status_code": 200, "body": {}}})
    rows = rows_of(await messages_of(Held(output=[line.encode()])))
    assert rows[0].error.code == "unreadable_line"
    assert not rows[0].succeeded


async def test_a_long_error_leaves_room() -> None:
    line = json.dumps({"custom_id": "a", "error": {"code": "c", "message": "m" * 3_000_000}})
    rows = rows_of(await messages_of(Held(output=[line.encode()])))
    assert rows[0].error.code == "c"
    assert rows[0].ByteSize() < 100_000
