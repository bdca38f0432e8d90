"""Streaming results: any pieces, any place to go on from, and every way a provider can break off."""

import asyncio
import json
from collections.abc import Sequence
from itertools import pairwise

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.batches import result_lines
from batchgate_server.batches.result_lines import Lines
from batchgate_server.batches.results import Pace, stream_results
from batchgate_server.batches.watching import Watching
from batchgate_server.errors import (
    BatchNotFinished,
    InvalidField,
    ProviderNotFound,
    ProviderUnavailable,
)
from batchgate_server.settings import WatchSettings
from tests.batches.provider import Held

# The machine may be busy.
patient = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
ROW_BY_ROW = Pace(message_bytes=1)


def success(custom_id: str, *, text: str = "yes") -> bytes:
    body = {"model": "m", "text": text, "usage": {"input_tokens": 3}}
    return json.dumps(
        {"custom_id": custom_id, "response": {"status_code": 200, "body": body}, "error": None},
        ensure_ascii=False,
    ).encode()


def failure(custom_id: str) -> bytes:
    error = {"code": "batch_expired", "message": "too late"}
    return json.dumps({"custom_id": custom_id, "response": None, "error": error}).encode()


async def messages_of(
    held: Held,
    *,
    pace: Pace = ROW_BY_ROW,
    watch: WatchSettings | None = None,
    **request: object,
) -> list[pb.StreamBatchResultsResponse]:
    asked = pb.StreamBatchResultsRequest(**{"batch_id": "batch_1", **request})  # type: ignore[arg-type]
    watching = Watching(watch or WatchSettings(), held.find)
    messages: list[pb.StreamBatchResultsResponse] = []
    try:
        async for message in stream_results(held.provider(), asked, watching=watching, pace=pace):
            messages.append(message)  # noqa: PERF401 - what came before an error counts
    except Exception as exc:
        exc.messages = messages  # type: ignore[attr-defined]
        raise
    finally:
        await watching.aclose()
    return messages


def rows_of(messages: Sequence[pb.StreamBatchResultsResponse]) -> list[pb.BatchResult]:
    return [row for message in messages for row in message.results]


def ids_of(messages: Sequence[pb.StreamBatchResultsResponse]) -> list[str]:
    return [row.custom_id for row in rows_of(messages)]


async def test_the_output_file_comes_first_then_the_error_file() -> None:
    held = Held(output=[success("a") + b"\n" + success("b") + b"\n"], error=[failure("c") + b"\n"])
    rows = rows_of(await messages_of(held))
    assert [(row.custom_id, row.line, row.succeeded) for row in rows] == [
        ("a", 1, True),
        ("b", 2, True),
        ("c", 1, False),
    ]
    assert rows[2].error.code == "batch_expired"


@pytest.mark.parametrize(
    ("content", "ids"),
    [
        (success("a") + b"\n" + success("b"), [("a", 1), ("b", 2)]),
        (success("a") + b"\r\n" + success("b") + b"\r\n", [("a", 1), ("b", 2)]),
        (success("a") + b"\n\n \r\n" + success("b") + b"\n\n", [("a", 1), ("b", 4)]),
        (b"", []),
        (b"\n", []),
        (success("é😀\u2028") + b"\n", [("é😀\u2028", 1)]),
        (success("a", text="x" * 1_000_000) + b"\n" + success("b"), [("a", 1), ("b", 2)]),
        (b"garbage\n" + success("b"), [("", 1), ("b", 2)]),
    ],
)
async def test_lines_of_every_kind(content: bytes, ids: list[tuple[str, int]]) -> None:
    rows = rows_of(await messages_of(Held(output=[content], error=[])))
    assert [(row.custom_id, row.line) for row in rows] == ids


async def test_a_line_that_is_too_long_is_an_error_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        result_lines.Lines.__init__,
        "__kwdefaults__",
        {
            **(result_lines.Lines.__init__.__kwdefaults__ or {}),
            "longest": 1000,
        },
    )
    content = b"\n".join([success("a"), success("b", text="x" * 5000), success("c")])
    held = Held(output=[content[start : start + 300] for start in range(0, len(content), 300)])
    messages = await messages_of(held)
    rows = rows_of(messages)
    assert [(row.custom_id, row.line) for row in rows] == [("a", 1), ("b", 2), ("c", 3)]
    assert rows[1].error.code == "unreadable_line"
    rest = await messages_of(held, resume_token=messages[1].resume_token)
    assert ids_of(rest) == ["c"]


def test_of_a_line_that_is_too_long_nothing_is_held() -> None:
    lines = Lines(longest=100)
    piece = b"x" * 10_000
    for _ in range(50):
        assert list(lines.feed(piece)) == []
    assert lines._parts == []
    (head, number, end), short = lines.feed(b"\nshort\n")
    assert isinstance(head, result_lines.Head)
    assert (len(head), number, end) == (result_lines.HEAD_BYTES, 1, 500_001)
    assert short == (b"short", 2, 500_007)


line = st.one_of(
    st.builds(success, st.text(max_size=5), text=st.text(max_size=20)),
    st.builds(failure, st.text(max_size=5)),
    st.sampled_from([b"", b" ", b"\r", b"garbage", b'{"custom_id": "half', b"\xff"]),
)
content = st.builds(
    lambda lines, end, last: end.join(lines) + (end if last else b""),
    st.lists(line, max_size=6),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)


def cut(whole: bytes, places: list[int]) -> list[bytes]:
    cuts = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    return [whole[begin:end] for begin, end in pairwise(cuts)]


@patient
@given(content, st.lists(st.integers(min_value=0), max_size=10), st.integers(1, 200))
def test_any_pieces_give_the_same_lines(whole: bytes, places: list[int], longest: int) -> None:
    def lines_of(pieces: list[bytes]) -> list[result_lines.Line]:
        lines = Lines(longest=longest)
        found = [one for piece in pieces for one in lines.feed(piece)]
        found += lines.end()
        assert lines.offset == len(whole)
        return found

    expected: list[result_lines.Line] = []
    offset = 0
    for number, text in enumerate(whole.split(b"\n"), 1):
        offset = min(offset + len(text) + 1, len(whole))
        if len(text) > longest:
            expected.append((text[: result_lines.HEAD_BYTES], number, offset))
        elif text.strip():
            expected.append((text, number, offset))
    assert lines_of(cut(whole, places)) == lines_of([whole]) == expected


@patient
@given(
    output=content,
    error=content,
    places=st.lists(st.integers(min_value=0), max_size=6),
    message_bytes=st.integers(1, 500),
    ranges=st.booleans(),
    wanted=st.sampled_from([0, 2, 3]),
)
def test_going_on_behind_any_message_gives_the_rest(
    *,
    output: bytes,
    error: bytes,
    places: list[int],
    message_bytes: int,
    ranges: bool,
    wanted: int,
) -> None:
    async def check() -> None:
        held = Held(output=cut(output, places), error=cut(error, places), honours_ranges=ranges)
        pace = Pace(message_bytes=message_bytes)
        messages = await messages_of(held, pace=pace, filter=wanted)
        rows = rows_of(messages)
        assert (
            rows_of(await messages_of(Held(output=[output], error=[error]), filter=wanted)) == rows
        )
        for done, message in enumerate(messages, 1):
            rest = await messages_of(
                held, pace=pace, filter=wanted, resume_token=message.resume_token
            )
            assert rows_of(messages[:done]) + rows_of(rest) == rows

    asyncio.run(check())


async def test_going_on_asks_for_the_rest_alone() -> None:
    held = Held(output=[success("a") + b"\n", success("b") + b"\n"], honours_ranges=True)
    first, second = await messages_of(held)
    held.requests.clear()
    assert ids_of(await messages_of(held, resume_token=first.resume_token)) == ["b"]
    assert held.requests[-1].headers["range"] == f"bytes={len(success('a')) + 1}-"
    assert await messages_of(held, resume_token=second.resume_token) == []


async def test_going_on_in_the_error_file_does_not_read_the_output_file() -> None:
    held = Held(output=[success("a")], error=[failure("b") + b"\n" + failure("c")])
    messages = await messages_of(held)
    held.requests.clear()
    assert ids_of(await messages_of(held, resume_token=messages[1].resume_token)) == ["c"]
    assert [request.url.path for request in held.requests] == [
        "/v1/batches/batch_1",
        "/v1/files/error/content",
    ]


@pytest.mark.parametrize("status", ["completed", "expired", "cancelled", "failed", "Completed"])
@pytest.mark.parametrize("none", [None, ""])
async def test_every_end_of_a_batch_gives_what_there_is(status: str, none: str | None) -> None:
    held = Held(output=[success("a")])
    held.batch |= {"status": status, "error_file_id": none}
    assert ids_of(await messages_of(held)) == ["a"]
    held.batch["output_file_id"] = none
    assert await messages_of(held) == []


@pytest.mark.parametrize("status", ["validating", "in_progress", "finalizing", "cancelling", "new"])
async def test_a_batch_that_can_change_is_not_finished(status: str) -> None:
    held = Held(output=[success("a")])
    held.batch["status"] = status
    with pytest.raises(BatchNotFinished, match=f"batch_1 is {status}"):
        await messages_of(held)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (pb.RESULT_FILTER_UNSPECIFIED, ["a", "b", "c"]),
        (pb.RESULT_FILTER_ALL, ["a", "b", "c"]),
        (pb.RESULT_FILTER_SUCCEEDED, ["a"]),
        (pb.RESULT_FILTER_FAILED, ["b", "c"]),
    ],
)
async def test_the_filter(wanted: pb.ResultFilter.ValueType, ids: list[str]) -> None:
    refused = b'{"custom_id": "b", "response": {"status_code": 400, "body": {}}, "error": null}'
    held = Held(output=[success("a") + b"\n" + refused], error=[failure("c")])
    assert ids_of(await messages_of(held, filter=wanted)) == ids


async def test_messages_are_packed() -> None:
    text = "x" * 1000
    lines = [success(f"row-{number}", text=text) + b"\n" for number in range(1000)]
    big = success("big", text="x" * 300_000) + b"\n"
    held = Held(output=[b"".join(lines[:500]), big, b"".join(lines[500:])])
    messages = await messages_of(held, pace=Pace())
    sizes = [message.ByteSize() for message in messages]
    assert len(rows_of(messages)) == 1001
    assert sum(size > 256 * 1024 for size in sizes) == 1
    assert len(messages) <= 7
    alone = [message for message in messages if message.ByteSize() > 256 * 1024]
    assert ids_of(alone) == ["big"]


async def test_the_end_of_one_file_and_the_begin_of_the_other_share_a_message() -> None:
    held = Held(output=[success("a")], error=[failure("b")])
    assert [ids_of([message]) for message in await messages_of(held, pace=Pace())] == [["a", "b"]]


@pytest.mark.parametrize("piece", [b"", b'{"custom_id": "b", "resp'])
async def test_rows_that_came_before_a_break_are_given(piece: bytes) -> None:
    held = Held(output=[success("a") + b"\n" + piece, httpx.RemoteProtocolError("cut off")])
    with pytest.raises(ProviderUnavailable) as caught:
        await messages_of(held, pace=Pace())
    messages = caught.value.messages  # type: ignore[attr-defined]
    assert ids_of(messages) == ["a"]
    held.files["output"] = [success("a") + b"\n" + success("b")]
    rest = await messages_of(held, resume_token=messages[-1].resume_token)
    assert ids_of(rest) == ["b"]


@pytest.mark.parametrize(("gone", "before"), [("output", []), ("error", ["a"])])
async def test_a_file_that_is_gone_is_named(gone: str, before: list[str]) -> None:
    held = Held(output=[success("a")], error=[failure("b")])
    del held.files[gone]
    with pytest.raises(ProviderNotFound, match=f"the {gone} file of batch_1, {gone}, is gone") as e:
        await messages_of(held, pace=Pace())
    assert ids_of(e.value.messages) == before  # type: ignore[attr-defined]


@pytest.mark.parametrize("heartbeat_seconds", [60.0, 0.02])
async def test_rows_do_not_wait_for_a_provider_that_stalls(heartbeat_seconds: float) -> None:
    stalled = asyncio.Event()
    held = Held(output=[success("a") + b"\n" + success("b"), stalled, b"\n"])
    request = pb.StreamBatchResultsRequest(batch_id="batch_1")
    watching = Watching(WatchSettings(heartbeat_seconds=heartbeat_seconds), held.find)
    pace = Pace(hold_seconds=0.01)
    messages = stream_results(held.provider(), request, watching=watching, pace=pace)
    first = await anext(messages)
    assert ids_of([first]) == ["a"]
    if heartbeat_seconds < 1:
        empty = await anext(messages)
        assert not empty.results
        assert empty.resume_token == first.resume_token
    stalled.set()
    assert ids_of([message async for message in messages if message.results]) == ["b"]
    rest = await messages_of(held, resume_token=first.resume_token)
    assert ids_of(rest) == ["b"]


async def test_a_filter_that_lets_nothing_pass_keeps_the_stream_alive() -> None:
    held = Held(output=[success(str(number)) + b"\n" for number in range(50)])
    messages = await messages_of(
        held,
        watch=WatchSettings(heartbeat_seconds=1e-9),
        filter=pb.RESULT_FILTER_FAILED,
    )
    assert rows_of(messages) == []
    assert len({message.resume_token for message in messages}) == 50


async def test_a_stream_that_is_left_closes_the_content() -> None:
    never = asyncio.Event()
    held = Held(output=[success("a") + b"\n", never])
    request = pb.StreamBatchResultsRequest(batch_id="batch_1")
    watching = Watching(WatchSettings(), held.find)
    before = asyncio.all_tasks()
    messages = stream_results(
        held.provider(), request, watching=watching, pace=Pace(hold_seconds=0.01)
    )
    await anext(messages)
    await messages.aclose()
    assert asyncio.all_tasks() == before


async def tokens() -> tuple[str, ...]:
    held = Held(output=[success("a") + b"\n" + success("b")])
    (first, _) = await messages_of(held)
    failed = await messages_of(Held(error=[failure("a")]), filter=pb.RESULT_FILTER_FAILED)
    return first.resume_token, failed[0].resume_token


async def test_a_token_that_is_none() -> None:
    held = Held(output=[success("a") + b"\n" + success("b")])
    good, other_filter = await tokens()
    assert set(good) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    cut_off = [good[:place] for place in range(1, len(good))]
    changed = [
        good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        for place in range(len(good) - 1)
    ]
    for token in (*cut_off, *changed, "?", "é", "0" * 100_000, other_filter, good + good):
        held.requests.clear()
        with pytest.raises(InvalidField) as caught:
            await messages_of(held, resume_token=token)
        assert [violation.field for violation in caught.value.violations] == ["resume_token"]
        assert held.requests == []


async def test_a_token_of_another_batch() -> None:
    held = Held(output=[success("a") + b"\n" + success("b")])
    good, _ = await tokens()
    with pytest.raises(InvalidField, match="another batch"):
        await messages_of(held, batch_id="batch_2", resume_token=good)


async def test_all_and_unspecified_share_their_tokens() -> None:
    held = Held(output=[success("a") + b"\n" + success("b")])
    good, _ = await tokens()
    messages = await messages_of(held, filter=pb.RESULT_FILTER_ALL, resume_token=good)
    assert ids_of(messages) == ["b"]


async def test_a_filter_that_is_none() -> None:
    with pytest.raises(InvalidField, match="filter"):
        await messages_of(Held(), filter=9)
