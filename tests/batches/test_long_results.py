"""Rows that are too long for one message: cut over several, each within its bounds."""

import json

import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches import result_lines
from batchgate_server.batches.results import Pace
from batchgate_server.call import Call, enter_call
from tests.batches.provider import Held
from tests.batches.test_results import failure, ids_of, messages_of, rows_of, success

MIB = 1024 * 1024


def joined(messages: list[pb.StreamBatchResultsResponse]) -> list[tuple[str, str]]:
    """Each row's id and body, put together again as the contract says."""
    found: list[tuple[str, str]] = []
    body = ""
    for row in rows_of(messages):
        body += row.response.body_json
        if not row.body_continues:
            found.append((row.custom_id, body))
            body = ""
    assert body == ""
    return found


def body_of(line: bytes) -> str:
    return json.dumps(json.loads(line)["response"]["body"], ensure_ascii=False)


@pytest.mark.parametrize("character", ["x", "é", "行", "🚀"])
@pytest.mark.parametrize("extra", [0, 1, 2, 3])
async def test_a_long_body_is_cut_between_characters(character: str, extra: int) -> None:
    lines = [
        success("before"),
        success("long", text="x" * extra + character * (3 * MIB // len(character.encode()))),
        success("after"),
    ]
    held = Held(output=[b"\n".join(lines)], error=[failure("failed")])
    messages = await messages_of(held, pace=Pace())
    assert max(message.ByteSize() for message in messages) < 2 * MIB
    parts = [row for row in rows_of(messages) if row.custom_id == "long"]
    assert len(parts) == 4
    assert joined(messages)[:3] == [
        (json.loads(line)["custom_id"], body_of(line)) for line in lines
    ]
    for part in parts:
        part.response.body_json = ""
        part.body_continues = False
    assert all(part == parts[0] for part in parts)
    assert (parts[0].line, parts[0].model, parts[0].usage.input_tokens) == (2, "m", 3)
    # A row goes on with the next message's first one.
    for message in messages:
        assert not any(row.body_continues for row in list(message.results)[:-1])


async def test_whoever_goes_on_within_a_long_row_gets_it_anew() -> None:
    lines = [success("a"), success("b", text="é" * 2 * MIB), success("c")]
    held = Held(output=[b"\n".join(lines)])
    messages = await messages_of(held, pace=Pace())
    whole = joined(messages)
    assert [custom_id for custom_id, _ in whole] == ["a", "b", "c"]
    tokens = [message.resume_token for message in messages]
    for number, message in enumerate(messages):
        rest = joined(await messages_of(held, pace=Pace(), resume_token=tokens[number]))
        if number and message.results[-1].body_continues:
            assert tokens[number] == tokens[number - 1]
            assert rest == whole[1:]
        else:
            assert rest == whole[len(joined(messages[: number + 1])) :]


@pytest.mark.parametrize("wanted", [pb.RESULT_FILTER_SUCCEEDED, pb.RESULT_FILTER_FAILED])
async def test_a_long_row_passes_the_filter_or_does_not(
    wanted: pb.ResultFilter.ValueType,
) -> None:
    refused = success("refused", text="x" * 2 * MIB).replace(b": 200", b": 400")
    held = Held(output=[success("fine", text="x" * 2 * MIB) + b"\n" + refused])
    found = joined(await messages_of(held, pace=Pace(), filter=wanted))
    assert [custom_id for custom_id, _ in found] == [
        "fine" if wanted == pb.RESULT_FILTER_SUCCEEDED else "refused"
    ]


async def test_a_long_body_that_is_not_utf_8_is_one_row() -> None:
    line = success("a", text="x" * 2 * MIB).replace(b"xxx", b"xx\xff", 1)
    rows = rows_of(await messages_of(Held(output=[line]), pace=Pace()))
    assert [(row.custom_id, row.error.code) for row in rows] == [("a", "unreadable_line")]


async def test_what_else_a_row_has_fits_too() -> None:
    answer = {"status_code": 200, "request_id": "r" * 3 * MIB, "body": {"model": "m" * 3 * MIB}}
    lines = [
        {"custom_id": "i" * 3 * MIB, "response": {"status_code": 200, "body": {}}},
        {"custom_id": "b", "error": {"code": "c" * 3 * MIB, "message": "é" * 3 * MIB}},
        {"custom_id": "c", "response": answer},
    ]
    held = Held(output=[b"\n".join(json.dumps(line).encode() for line in lines)])
    messages = await messages_of(held, pace=Pace())
    assert max(message.ByteSize() for message in messages) < 2 * MIB
    long_id, error, *parts = rows_of(messages)
    assert long_id.error.code == "unreadable_line"
    assert "custom_id" in long_id.error.message
    assert error.error.message == "é" * len(error.error.message)
    assert len(error.error.message) >= 10_000
    assert {part.custom_id for part in parts} == {"c"}
    assert "".join(part.response.body_json for part in parts) == json.dumps(answer["body"])
    assert ids_of(messages[-1:]) == ["c"]


@pytest.mark.parametrize(
    ("line", "custom_id"),
    [
        ('{"custom_id": "a", "response": {"body": "', "a"),
        ('{"id": "batch_req_1", "custom_id": "é\\u00e9", "response": "', "éé"),
        ('{"response": {"custom_id": "b", "body": "', ""),
        ('{"custom_id": "a', ""),
        ("", ""),
    ],
)
async def test_a_line_that_is_too_long_keeps_its_id(
    monkeypatch: pytest.MonkeyPatch, line: str, custom_id: str
) -> None:
    defaults = result_lines.Lines.__init__.__kwdefaults__ or {}
    monkeypatch.setattr(
        result_lines.Lines.__init__, "__kwdefaults__", {**defaults, "longest": 1000}
    )
    (row,) = rows_of(await messages_of(Held(output=[line.encode() + b"x" * 50_000])))
    assert (row.custom_id, row.line, row.error.code) == (custom_id, 1, "unreadable_line")


async def test_a_long_model_beside_a_body_of_one_part_fits() -> None:
    body = {"model": "m" * (MIB - 100)}
    answer = {"status_code": 200, "request_id": "r" * 70_000, "body": body}
    held = Held(output=[json.dumps({"custom_id": "a", "response": answer}).encode()])
    messages = await messages_of(held, pace=Pace())
    assert max(message.ByteSize() for message in messages) < 2 * MIB
    (row,) = rows_of(messages)
    assert row.response.body_json == json.dumps(body)


async def test_a_row_in_parts_is_counted_once() -> None:
    call = Call(method="StreamBatchResults", request_id="")
    enter_call(call)
    lines = [success("a", text="x" * 3 * MIB), success("b")]
    messages = await messages_of(Held(output=[b"\n".join(lines)]), pace=Pace())
    assert len(rows_of(messages)) > 2
    assert call.sent_lines == 2
    assert call.sent_bytes == sum(map(len, lines))
