"""Strings from outside at each border: what they become there, whatever they are."""

import re
import unicodedata
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.outside import one_line, shown, url_path, url_query

# With halves of surrogate pairs, which JSON can carry.
ANYTHING = st.text(st.characters(exclude_categories=[])) | st.text(
    "\n\r\x1b\x00/.%ab \u2028\u202e\ud800"
)


@given(segments=st.lists(ANYTHING | st.from_regex(r"[\w.:=~/%-]{1,20}"), min_size=1, max_size=3))
def test_a_path_has_the_segments_it_was_given_or_there_is_none(segments: list[str]) -> None:
    try:
        path = url_path(*segments)
    except ValueError:
        return
    parts = urlsplit(f"https://host.example/v1{path}?a=b")
    assert (parts.netloc, parts.query) == ("host.example", "a=b")
    assert parts.path.split("/")[2:] == segments
    assert not any(segment in {"", ".", ".."} for segment in segments)


@given(value=st.text(), name=st.text(min_size=1))
def test_a_query_is_read_back_as_it_was(name: str, value: str) -> None:
    query = url_query([(name, value), ("limit", "1")])
    assert re.fullmatch(r"\?[!-~]+", query)
    assert parse_qsl(query[1:], keep_blank_values=True) == [(name, value), ("limit", "1")]
    assert url_query([]) == ""


@given(value=ANYTHING)
def test_a_log_line_obeys_nothing(value: str) -> None:
    said = shown(value)
    assert said.isprintable()
    said.encode()
    assert len(said.splitlines()) <= 1
    assert not {unicodedata.category(c) for c in said} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    if value.isprintable():
        assert said == value


def test_a_log_line_shows_what_was_there() -> None:
    assert shown("a\n\x1b[31mb\u202e\ud800") == r"a\u000a\u001b[31mb\u202e\ud800"
    assert len(shown("x" * 10**6)) < 3000


@given(value=st.text(), size=st.integers(3, 50))
def test_one_line_is_short_and_printable(value: str, size: int) -> None:
    line = one_line(value, size=size)
    assert line.isprintable()
    assert line == line.strip()
    assert len(line.encode()) <= size
    if value.isprintable() and len(value.encode()) <= size:
        assert line.split() == value.split()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("a\n b\t\tc", "a b c"),
        ("bell\a\x9b31m", "bell 31m"),
        ("\u202eright to left", "right to left"),
        ("größe", "größe"),
        ("", ""),
        (" \n ", ""),
    ],
)
def test_one_line(value: str, line: str) -> None:
    assert one_line(value, size=100) == line


def test_one_line_cuts_no_character_in_two() -> None:
    assert one_line("ééééé", size=8) == "éé…"
    assert one_line("éééé", size=8) == "éééé"
