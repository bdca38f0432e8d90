"""What may enter a URL or a header."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.errors import InvalidField
from batchgate_server.translation.identifiers import (
    checked_filename,
    checked_id,
    checked_media_type,
    checked_word,
)

UNRESERVED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~:=")


@given(value=st.text() | st.from_regex(r"[\w.:=~/%-]{1,20}"))
def test_an_id_needs_no_quoting_and_leads_nowhere_else(value: str) -> None:
    try:
        assert checked_id("file_id", value) == value
    except InvalidField:
        return
    assert set(value) <= UNRESERVED
    assert value[0].isalnum()
    assert 1 <= len(value) <= 512


@given(value=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.:=~-]{0,511}\Z"))
def test_ids_pass_unchanged(value: str) -> None:
    assert checked_id("batch_id", value) == value


@given(value=st.text())
def test_a_word_is_visible_ascii(value: str) -> None:
    try:
        assert checked_word("endpoint", value) == value
    except InvalidField:
        return
    assert all("!" <= letter <= "~" for letter in value)
    assert 1 <= len(value) <= 256


@given(value=st.text())
def test_a_media_type_is_safe_in_a_header(value: str) -> None:
    try:
        assert checked_media_type("content_type", value) == value
    except InvalidField:
        return
    assert value.isascii()
    assert value.isprintable()


@pytest.mark.parametrize(
    "value", ["application/jsonl", "text/plain; charset=utf-8", "application/vnd.x+json;a=b;c=d"]
)
def test_media_types(value: str) -> None:
    assert checked_media_type("content_type", value) == value


@pytest.mark.parametrize(
    "value", ["jsonl", "a/b\r\nx: y", "a/b;", "a/b; c", "ä/b", "a/b\n", "a/b;\nc=d"]
)
def test_no_media_types(value: str) -> None:
    with pytest.raises(InvalidField):
        checked_media_type("content_type", value)


@pytest.mark.parametrize(
    ("value", "good"),
    [("", False), ("a", True), ("é" * 256, True), ("é" * 257, False), ("x" * 513, False)],
)
def test_a_filename_is_measured_in_bytes(value: str, good: bool) -> None:
    if good:
        assert checked_filename("filename", value) == value
    else:
        with pytest.raises(InvalidField):
            checked_filename("filename", value)
