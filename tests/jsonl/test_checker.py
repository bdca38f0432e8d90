"""Lines of batch files, checked while they stream."""

import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.jsonl.issues import Issue
from batchgate_server.jsonl.rules import Rules

RULES = Rules(max_lines=50, max_line_bytes=10_000)
AZURE = Rules(max_lines=50, max_line_bytes=10_000, kind="azure_openai")


def line(custom_id: str = "a", **changes: Any) -> bytes:
    envelope = {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": []},
        **changes,
    }
    present = {key: value for key, value in envelope.items() if value is not ...}
    return json.dumps(present, ensure_ascii=False).encode()


def check(content: bytes, *, rules: Rules = RULES, sizes: tuple[int, ...] = ()) -> JsonlChecker:
    """Check `content`, cut into chunks of these sizes and a rest."""
    return checked(content, rules=rules, sizes=sizes)[0]


def checked(
    content: bytes, *, rules: Rules = RULES, sizes: tuple[int, ...] = ()
) -> tuple[JsonlChecker, bytes]:
    checker = JsonlChecker(rules)
    sent = b""
    for size in sizes:
        sent += checker.feed(content[:size])
        content = content[size:]
    sent += checker.feed(content)
    return checker, sent + checker.finish()


def codes(checker: JsonlChecker) -> list[tuple[int, str, str]]:
    return [(issue.line, issue.code, issue.param) for issue in checker.issues]


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (line("a") + b"\n" + line("b") + b"\n", 2),
        (line("a") + b"\n" + line("b"), 2),
        (line("a") + b"\r\n" + line("b") + b"\r\n", 2),
        (line("a") + b"\n\n \n" + line("b") + b"\n\n", 2),
        (b"  " + line("a") + b" \n", 1),
        (line("zoë-日本") + b"\n", 1),
    ],
)
def test_good_files(content: bytes, count: int) -> None:
    """CRLF, no newline at the end, empty lines, any UTF-8 in a custom_id: as it was sent."""
    checker, sent = checked(content)
    assert codes(checker) == []
    assert checker.line_count == count
    assert sent == content


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        (b"{", "invalid_json_line", ""),
        (b"[1]", "invalid_json_line", ""),
        (b"12", "invalid_json_line", ""),
        (b"null", "invalid_json_line", ""),
        (b'"text"', "invalid_json_line", ""),
        (b"\x00\x01 not text \x02", "invalid_json_line", ""),
        (line("x") + line("y"), "invalid_json_line", ""),
        (line("x")[:-1] + b",}", "invalid_json_line", ""),
        (b'{"custom_id": "\xff"}', "invalid_utf8", ""),
        (
            line("x", body={"model": "m", "t": "\xe9"}).replace(b"\xc3\xa9", b"\xe9"),
            "invalid_utf8",
            "",
        ),
        (line(...), "missing_required_parameter", "custom_id"),  # type: ignore[arg-type]
        (line(7), "missing_required_parameter", "custom_id"),  # type: ignore[arg-type]
        (line("x", method=...), "missing_required_parameter", "method"),
        (line("x", url=...), "missing_required_parameter", "url"),
        (line("x", url=None), "missing_required_parameter", "url"),
        (line("x", body=...), "missing_required_parameter", "body"),
        (line("x", body=None), "missing_required_parameter", "body"),
        (line("x", body=[]), "missing_required_parameter", "body"),
        (line("x", body={"model": 4}), "missing_required_parameter", "body.model"),
        (line("x", method="GET"), "invalid_method", "method"),
        (line("x", url="/v1/embeddings"), "url_mismatch", "url"),
        (line("x", body={"model": "other"}), "model_mismatch", "body.model"),
        (line("a"), "duplicate_custom_id", "custom_id"),
        (
            line("a").replace(b'"a"', b'"\\u0061"'),
            "duplicate_custom_id",
            "custom_id",
        ),
    ],
)
def test_each_fault_is_told_with_its_line_and_offset(bad: bytes, code: str, param: str) -> None:
    """The other lines are checked as well, and the place is that of the faulty line."""
    first = line("a") + b"\n"
    checker = check(first + bad + b"\n" + line("z") + b"\n")
    assert codes(checker) == [(2, code, param)]
    assert checker.issues[0].byte_offset == len(first)
    assert checker.line_count == 3


def test_long_custom_ids_take_no_more_memory_than_short_ones() -> None:
    long = "x" * 5000
    checker = JsonlChecker(Rules(max_lines=2000, max_line_bytes=10_000))
    tracemalloc.start()
    for number in range(1000):
        checker.feed(line(f"{number}{long}") + b"\n")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checker.issues == []
    assert held < 500_000
    checker.feed(line(f"1001{long}") + b"\n" + line(f"7{long}") + b"\n")
    assert codes(checker) == [(1002, "duplicate_custom_id", "custom_id")]


MODERATION = {"url": "/v1/moderations", "body": {"input": "x"}}
STORED = {"url": "/v1/responses", "body": {"prompt": {"id": "pmpt_1"}}}


@pytest.mark.parametrize("changes", [MODERATION, STORED, {"url": "/v1/new", "body": {}}])
def test_some_bodies_need_no_model(changes: dict[str, Any]) -> None:
    """At OpenAI; Azure OpenAI's lines all name their deployment."""
    content = line("a", **changes) + b"\n" + line("b", **changes)
    assert codes(check(content)) == []
    missing = [(n, "missing_required_parameter", "body.model") for n in (1, 2)]
    assert codes(check(content, rules=AZURE)) == missing


def test_each_line_that_needs_a_model_is_looked_at() -> None:
    """One that needs none, by its prompt, does not speak for those that follow."""
    bare = line("b", url="/v1/responses", body={"input": "x"})
    for sizes in ((), (60,)):
        checker = check(line("a", **STORED) + b"\n" + bare + b"\n", sizes=sizes)
        assert codes(checker) == [(2, "missing_required_parameter", "body.model")]


def test_the_last_of_equal_keys_counts() -> None:
    content = b'{"custom_id":"","custom_id":"b","method":"POST","url":"/u","body":{}}\n'
    content += b'{"custom_id":"a","method":"POST","url":"/u","body":{}}\n'
    assert codes(check(content)) == []


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n"])
def test_a_file_without_requests(content: bytes) -> None:
    assert codes(check(content)) == [(0, "empty_file", "")]


def test_too_many_lines_are_told_once() -> None:
    content = b"".join(line(str(n)) + b"\n" for n in range(60))
    checker = check(content)
    assert codes(checker) == [(51, "too_many_tasks", "")]
    assert codes(check(b"".join(line(str(n)) + b"\n" for n in range(50)))) == []


def test_a_long_line_is_not_held() -> None:
    checker = JsonlChecker(RULES)
    checker.feed(line("a") + b"\n")
    for _ in range(100):
        checker.feed(b"x" * 1000)
    checker.finish()
    assert codes(checker) == [(2, "line_too_long", "")]
    assert checker.is_full


def test_a_long_line_is_told_wherever_chunks_end() -> None:
    first, long = line("a") + b"\n", b"x" * 10_001
    for sizes in ((), (len(first),), (len(first) + 10_001,), (len(first) + 5000,)):
        checker = check(first + long + b"\n" + line("b"), sizes=sizes)
        assert codes(checker) == [(2, "line_too_long", "")]
        assert checker.issues[0].byte_offset == len(first)
        assert checker.line_count == 1
    assert codes(check(long[1:] + b"\n")) == [(1, "invalid_json_line", "")]


def test_no_more_than_a_hundred_issues() -> None:
    rules = Rules(max_lines=1000, max_line_bytes=1000)
    assert len(check(b"{\n" * 1000, rules=rules).issues) == 100
    several = line("a", method="GET", url="/other", body={"model": "other"}) + b"\n"
    assert len(check(line("a") + b"\n" + several * 1000, rules=rules).issues) == 100
    assert len(check(b"{\n" * 98 + line("a") + b"\n" + several, rules=rules).issues) == 100


def test_the_endpoint_given_is_the_measure() -> None:
    rules = replace(RULES, endpoint="/v1/embeddings")
    assert codes(check(line("a"), rules=rules)) == [(1, "url_mismatch", "url")]
    either = line("a", url="/embeddings") + b"\n" + line("b", url="/v1/embeddings")
    assert codes(check(either, rules=rules)) == [(1, "url_mismatch", "url")]
    assert codes(check(either, rules=replace(AZURE, endpoint="/v1/embeddings"))) == []


@pytest.mark.parametrize(
    ("url", "openai", "azure"),
    [
        ("/v1/chat/completions", True, True),
        ("/chat/completions", False, True),
        ("v1/chat/completions", False, False),
        ("chat/completions", False, False),
        ("", False, False),
        (" /v1/chat/completions", False, False),
        ("/v1/chat/completions/", False, False),
        ("/V1/Chat/Completions", False, False),
        ("/v1/v1/responses", False, False),
        ("https://api.openai.com/v1/responses", False, False),
        ("https://example.com/v9/new", False, False),
        ("/v1/new/endpoint", True, True),
        ("/new/endpoint", True, True),
        ("/v2/chat/completions", True, True),
        ("/api/v3/chat/completions", True, True),
        ("https:" + " " * 5000, False, False),
    ],
)
def test_the_form_of_a_url(url: str, openai: bool, azure: bool) -> None:
    """What is known has one form, or two at Azure OpenAI; what is not may be an endpoint to come."""
    content = line("a", url=url) + b"\n" + line("b", url=url)
    for rules, fine in ((RULES, openai), (AZURE, azure)):
        expected = [] if fine else [(1, "url_mismatch", "url"), (2, "url_mismatch", "url")]
        assert codes(check(content, rules=rules)) == expected


@pytest.mark.parametrize("ids", [("", ""), ("a", "")])
def test_an_empty_custom_id(ids: tuple[str, str]) -> None:
    content = b"".join(line(one) + b"\n" for one in (*ids, "z"))
    expected = [(n, "missing_required_parameter", "custom_id") for n in (1, 2) if not ids[n - 1]]
    assert codes(check(content)) == expected
    assert codes(check(line("x") + b"\n" + content, sizes=(len(line("x")) + 1,))) == [
        (number + 1, code, param) for number, code, param in expected
    ]


@pytest.mark.parametrize("rules", [RULES, AZURE])
def test_a_byte_order_mark(rules: Rules) -> None:
    content = b"\xef\xbb\xbf" + line("a") + b"\n{\n"
    checker = check(content, rules=rules, sizes=(1, 1, 1, 1))
    assert codes(checker) == [(1, "byte_order_mark", ""), (2, "invalid_json_line", "")]
    assert checker.issues[-1].byte_offset == content.index(b"{\n")


GOOD = st.builds(line, st.text(max_size=5), url=st.sampled_from(["/u", "/v1/u", "/w"]))
PIECES = st.one_of(
    GOOD,
    st.just(line("long", body={"text": "x" * 600})),
    st.sampled_from([b"", b"\r", b" ", b"{", b'{"a":', b"1}", b"}", b"\xc3\xa9", b"\xff", b"[]"]),
    st.binary(max_size=6).filter(lambda piece: b"\n" not in piece),
)


@given(lines=st.lists(PIECES, max_size=8), end=st.booleans(), data=st.data())
def test_any_split_gives_the_same_report_and_the_same_bytes(
    lines: list[bytes], end: bool, data: st.DataObject
) -> None:
    content = b"\n".join(lines) + (b"\n" if end else b"")
    sizes = data.draw(st.lists(st.integers(0, max(len(content), 1)), max_size=8))
    rules = Rules(max_lines=5, max_line_bytes=500)

    def result(cuts: tuple[int, ...]) -> tuple[list[Issue], int, list[str], list[str]]:
        checker = check(content, rules=rules, sizes=cuts)
        return checker.issues, checker.line_count, list(checker.models), list(checker.urls)

    whole = result(())
    assert result(tuple(sizes)) == whole
    assert result((1,) * len(content)) == whole
    if not whole[0]:
        assert checked(content, rules=rules, sizes=tuple(sizes))[1] == content


def test_long_names_are_compared_whole_and_told_in_part() -> None:
    """The report goes into an answer that clients take only up to 4 MiB."""
    name = "m" * 3000
    checker = check(line("a", url="/" + name, body={"model": name}))
    assert (list(checker.models), list(checker.urls)) == ([name[:256]], ["/" + name[:255]])
    others = line("a", body={"model": name}) + b"\n" + line("b", body={"model": name + "x"})
    assert codes(check(others)) == [(2, "model_mismatch", "body.model")]


def half(content: bytes) -> bytes:
    return content.replace(b"HALF", rb"\ud83c").replace(b"REST", rb"\uDF89")


@pytest.mark.parametrize("text", ["HALF", "REST", "HALFHALFREST", "x HALFREST\\HALF", "RESTHALF"])
def test_half_a_surrogate_pair_is_no_fault(text: str) -> None:
    """A text that was cut off in an emoji is grammatical JSON, and providers take it."""
    content = half(line("a", body={"model": "m", "user": text}) + b"\n" + line("b") + b"\n")
    checker, sent = checked(content)
    assert codes(checker) == []
    assert (checker.line_count, list(checker.models), sent) == (2, ["m"], content)


def test_names_with_halves_are_compared_as_they_are() -> None:
    for long in ("", "x" * 100):
        content = half(line("HALF" + long) + b"\n" + line("REST" + long) + b"\n")
        assert codes(check(content)) == []
        checker = check(content + half(line("HALF" + long)))
        assert codes(checker) == [(3, "duplicate_custom_id", "custom_id")]
        assert checker.issues[0].custom_id == "?" + long
    named = half(line("a", url="/HALF", body={"model": "HALF"}))
    checker = check(named)
    assert (list(checker.models), list(checker.urls)) == (["?"], ["/?"])
    other = half(line("b", url="/REST", body={"model": "REST"}))
    assert codes(check(named + b"\n" + other)) == [
        (2, "url_mismatch", "url"),
        (2, "model_mismatch", "body.model"),
    ]


@pytest.mark.parametrize(
    ("bad", "code", "param"),
    [
        (line("HALF", url=...), "missing_required_parameter", "url"),
        (line("HALF", body=7), "missing_required_parameter", "body"),
        (line("HALF")[:-1], "invalid_json_line", ""),
        (line("HALF", body={"n": float("nan")}), "invalid_json_line", ""),
        (line(r"HALF").replace(b"HALF", rb"HALF\uzzzz"), "invalid_json_line", ""),
        (line("HALF").replace(b"HALF", b"HALF\xed\xa0\xbc"), "invalid_utf8", ""),
    ],
)
def test_a_half_hides_no_other_fault(bad: bytes, code: str, param: str) -> None:
    assert codes(check(half(bad))) == [(1, code, param)]


@pytest.mark.parametrize(
    ("stream", "warns"),
    [("true", True), (" true ", True), ("false", False), ("null", False), ('"true"', False)],
)
@pytest.mark.parametrize("sizes", [(), (180,), (1,) * 400])
def test_a_stream_is_warned_of(stream: str, warns: bool, sizes: tuple[int, ...]) -> None:
    body = b'{"stream":%b,"model": "m", "messages": []}' % stream.encode()
    asks = line("b").replace(b'{"model": "m", "messages": []}', body)
    first = line("a") + b"\n"
    checker = check(first + asks + b"\n" + line("c"), sizes=sizes)
    assert checker.issues == []
    expected = [(2, len(first), "unsupported_value", "body.stream", "b")] if warns else []
    assert [
        (one.line, one.byte_offset, one.code, one.param, one.custom_id) for one in checker.warnings
    ] == expected


def test_no_more_than_a_hundred_warnings() -> None:
    asks = [line(str(n), body={"model": "m", "stream": True}) + b"\n" for n in range(150)]
    checker = check(b"".join(asks), rules=replace(RULES, max_lines=200), sizes=(5000, 5000))
    assert (len(checker.warnings), checker.line_count, checker.issues) == (100, 150, [])
