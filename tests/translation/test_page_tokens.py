"""Page tokens: opaque, stateless, bound to their list."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.errors import InvalidField
from batchgate_server.operations import Cursor
from batchgate_server.translation.page_tokens import page_size, page_token, read_page_token

IDS = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=600)
TIMES = st.floats(-62135596800, 253402300799) | st.integers(0, 2**33)
SCOPE = st.lists(st.text(), max_size=4)


@given(after=IDS, created_at=TIMES, scope=SCOPE)
def test_round_trip(after: str, created_at: float, scope: list[str]) -> None:
    cursor = Cursor(after=after, created_at=created_at)
    token = page_token(cursor, *scope)
    assert read_page_token(token, *scope) == cursor
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()


@given(after=IDS, one=SCOPE, other=SCOPE)
def test_a_token_of_another_list(after: str, one: list[str], other: list[str]) -> None:
    token = page_token(Cursor(after=after, created_at=0.0), *one)
    if one == other:
        assert read_page_token(token, *other) is not None
        return
    with pytest.raises(InvalidField, match="another provider or with other filters"):
        read_page_token(token, *other)


@given(token=st.text(min_size=1))
def test_any_text_is_refused_in_one_way(token: str) -> None:
    with pytest.raises(InvalidField):
        read_page_token(token, "files")


@given(content=st.binary())
def test_any_bytes_are_refused_in_one_way(content: bytes) -> None:
    token = base64.urlsafe_b64encode(content).decode()
    if token:
        with pytest.raises(InvalidField):
            read_page_token(token, "files")


@given(
    document=st.lists(
        st.none()
        | st.booleans()
        | st.integers(0, 3)
        | st.floats()
        | st.text()
        | st.lists(st.none(), max_size=1)
        | st.dictionaries(st.text(), st.none(), max_size=1),
        min_size=4,
        max_size=4,
    )
)
def test_any_four_values_are_a_cursor_or_refused(document: list[object]) -> None:
    """Whoever forges a token gets at most a list of the same provider, from another place on."""
    mark = json.loads(base64.b64decode(page_token(Cursor("a", 0.0), "files") + "=="))[1]
    for forged in (document, [document[0], mark, *document[2:]], [1, mark, *document[2:]]):
        token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()
        try:
            cursor = read_page_token(token, "files")
        except InvalidField:
            continue
        assert cursor is not None
        assert cursor.after.isprintable()
        assert 0 < len(cursor.after) <= 2048
        # It can be compared with times, and quoted.
        assert isinstance(cursor.created_at < 1.0, bool)
        cursor.after.encode()


@pytest.mark.parametrize("after", ["", "a\nb", "a\0", "\ud800", "a" * 2049])
def test_a_cursor_that_cannot_be_sent(after: str) -> None:
    token = page_token(Cursor(after=after, created_at=0.0), "files")
    with pytest.raises(InvalidField):
        read_page_token(token, "files")


def test_no_token() -> None:
    assert page_token(None, "files") == ""
    assert read_page_token("", "files") is None


@given(value=st.integers(0, 2**31 - 1), default=st.integers(1, 50), more=st.integers(0, 50))
def test_sizes(value: int, default: int, more: int) -> None:
    size = page_size(value, default=default, largest=default + more)
    assert 1 <= size <= default + more
    assert size == default if value == 0 else size == min(value, default + more)


def test_a_negative_size() -> None:
    with pytest.raises(InvalidField, match="page_size"):
        page_size(-1, default=20, largest=100)
