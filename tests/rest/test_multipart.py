"""The multipart body, read back by another library: every field intact, never one more."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser, parse_options_header

from batchgate_server.outside import parameter
from batchgate_server.rest.multipart import Multipart

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


async def content_of(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def body_of(multipart: Multipart) -> bytes:
    return b"".join([piece async for piece in multipart])


def parts_of(multipart: Multipart, body: bytes) -> list[tuple[dict[bytes, bytes], bytes]]:
    """The parts as python-multipart reads them: headers and content."""
    parts: list[tuple[dict[bytes, bytes], bytearray]] = []
    names: list[bytes] = []
    values: list[bytes] = []
    ended: list[bool] = []

    def part_begins() -> None:
        parts.append(({}, bytearray()))

    def field(data: bytes, start: int, end: int) -> None:
        names.append(data[start:end])

    def value(data: bytes, start: int, end: int) -> None:
        values.append(data[start:end])

    def header_ends() -> None:
        name = b"".join(names).lower()
        assert name not in parts[-1][0]
        parts[-1][0][name] = b"".join(values)
        names.clear()
        values.clear()

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1][1].extend(data[start:end])

    boundary = multipart.content_type.partition("boundary=")[2]
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": part_begins,
            "on_header_field": field,
            "on_header_value": value,
            "on_header_end": header_ends,
            "on_part_data": content,
            "on_end": lambda: ended.append(True),
        },
    )
    parser.write(body)
    parser.finalize()
    assert ended == [True]
    return [(headers, bytes(content)) for headers, content in parts]


@given(
    value=TEXT,
    filename=TEXT.filter(bool),
    chunks=st.lists(st.binary(max_size=50), max_size=5),
)
async def test_every_field_comes_out_intact(value: str, filename: str, chunks: list[bytes]) -> None:
    multipart = Multipart(
        [("purpose", value), ("expires_after[seconds]", "3600")],
        filename=filename,
        content_type="application/jsonl",
        content=content_of(chunks),
    )
    content = b"".join(chunks)
    body = await body_of(multipart)
    assert len(body) == multipart.length(len(content))
    one, two, file = parts_of(multipart, body)
    assert one == ({b"content-disposition": b'form-data; name="purpose"'}, value.encode())
    assert two == ({b"content-disposition": b'form-data; name="expires_after[seconds]"'}, b"3600")
    assert set(file[0]) == {b"content-disposition", b"content-type"}
    assert file[0][b"content-type"] == b"application/jsonl"
    assert file[1] == content
    kind, options = parse_options_header(file[0][b"content-disposition"])
    assert kind == b"form-data"
    assert set(options) == {b"name", b"filename"}
    assert options[b"name"] == b"file"


@given(filename=st.text(st.characters(min_codepoint=1, max_codepoint=126), min_size=1, max_size=40))
async def test_the_email_package_reads_the_same(filename: str) -> None:
    multipart = Multipart(
        [], filename=filename, content_type="text/plain", content=content_of([b"x"])
    )
    head = f"Content-Type: {multipart.content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + await body_of(multipart))
    (part,) = list(message.walk())[1:]
    assert part.get_payload() == "x"
    assert sorted(part.keys()) == ["Content-Disposition", "Content-Type"]


@given(value=TEXT)
def test_a_quoted_value_cannot_end_its_parameter(value: str) -> None:
    result = parameter(value)
    assert '"' not in result
    assert not any(ord(character) < 0x20 or character == "\x7f" for character in result)
    if "%" not in value:
        assert unquote(result) == value


@pytest.mark.parametrize(
    ("value", "written"),
    [('"', "%22"), ("\r\n", "%0D%0A"), ("\0", "%00"), ("ä😀", "ä😀"), ("a/b\\c;d", "a/b\\c;d")],
)
def test_values_are_quoted_as_browsers_do(value: str, written: str) -> None:
    assert parameter(value) == written


async def test_an_error_of_the_content_leaves_the_body_without_its_end() -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"half"
        raise OSError("gone")

    multipart = Multipart([], filename="f", content_type="a/b", content=failing())
    pieces: list[bytes] = []
    with pytest.raises(OSError, match="gone"):
        pieces.extend([piece async for piece in multipart])
    assert not multipart.completed


async def test_completed_means_that_the_end_was_handed_out() -> None:
    multipart = Multipart([], filename="f", content_type="a/b", content=content_of([b"x"]))
    seen = [(piece, multipart.completed) async for piece in multipart]
    assert [completed for _, completed in seen] == [False, False, True]
    boundary = multipart.content_type.partition("boundary=")[2]
    assert seen[-1][0] == f"\r\n--{boundary}--\r\n".encode()


def test_boundaries_differ() -> None:
    def one() -> Multipart:
        return Multipart([], filename="f", content_type="a/b", content=content_of([]))

    assert one().content_type != one().content_type
