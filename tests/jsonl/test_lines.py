"""Blocks of whole lines, and whether their objects are their lines."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.jsonl.lines import are_objects

PIECES = st.sampled_from(
    [b"{}", b'{"a":1}', b'{"a":{}}', b"\n", b"\r\n", b" ", b'{"a":\n', b"1}", b"{", b"}"]
)


@given(st.lists(PIECES, max_size=8).map(b"".join))
def test_objects_are_lines_if_each_line_is_one(block: bytes) -> None:
    """Never true of a block that a reader line by line would take otherwise."""
    lines = block.split(b"\n")
    by_line = 0
    for line in lines[:-1]:
        try:
            by_line += isinstance(json.loads(line), dict)
        except ValueError:
            by_line = -100
    for count in range(5):
        if are_objects(block, count) and count and _objects(block) == count:
            assert by_line == count == len(lines) - 1
            assert lines[-1] == b""


def _objects(block: bytes) -> int:
    """How many objects stand in a block one after the other; -1 if something else does."""
    text, count, place = block.decode(), 0, 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        try:
            _, place = json.JSONDecoder().raw_decode(text, place)
        except ValueError:
            return -1
        count += 1
    return count


@pytest.mark.parametrize(
    ("block", "count"),
    [
        (b'{"a":{}\n,"b":1}\n{}{}\n', 3),
        (b'{"a":\n{}}\n{}{}\n', 3),
        (b"\n{}{}\n", 2),
        (b"{}{}\n\n", 2),
        (b"{}\n{}", 2),
        (b"{}\n{}\n", 1),
        (b"{} \n", 1),
    ],
)
def test_as_many_objects_as_lines_are_not_yet_a_line_each(block: bytes, count: int) -> None:
    """Two objects in one line make up for one that goes over two lines, or for a blank line."""
    assert not are_objects(block, count)


@pytest.mark.parametrize("block", [b"{}\n", b'{"a":{}}\r\n{}\n', b'{"a":"}\\n{"}\n{}\n'])
def test_a_line_each(block: bytes) -> None:
    assert are_objects(block, block.count(b"\n"))
