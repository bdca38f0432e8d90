"""Files that are not JSON Lines: one message says what they are."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import pytest

from tests.jsonl.test_checker import check, codes, line

REQUESTS = [json.loads(line(one)) for one in "abc"]
LINES = b"".join(line(one) + b"\n" for one in "abc")
TEXT = LINES.decode()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("requests.jsonl", TEXT)
    return file.getvalue()


CASES = {
    "pretty array": (json.dumps(REQUESTS, indent=2).encode(), "a JSON array"),
    "array in one line": (json.dumps(REQUESTS).encode(), "a JSON array"),
    "array, a request a line": (
        b"[\n" + b",\n".join(line(one) for one in "abc") + b"\n]\n",
        "a JSON array",
    ),
    "array that begins with a request": (b"[" + LINES.replace(b"}\n", b"},\n"), "a JSON array"),
    "pretty object": (json.dumps(REQUESTS[0], indent=2).encode(), "over several lines"),
    "pretty objects": (
        b"".join(json.dumps(one, indent=4).encode() + b"\r\n" for one in REQUESTS),
        "over several lines",
    ),
    "Python": ("".join(f"{one}\n" for one in REQUESTS).encode(), "json.dumps"),
    "UTF-16": (TEXT.encode("utf-16"), "UTF-16"),
    "UTF-16 LE": (TEXT.encode("utf-16-le"), "UTF-16"),
    "UTF-16 BE": (TEXT.encode("utf-16-be"), "UTF-16"),
    "UTF-32": (TEXT.encode("utf-32"), "UTF-32"),
    "UTF-32 BE": (TEXT.encode("utf-32-be"), "UTF-32"),
    "gzip": (gzip.compress(LINES), "gzip"),
    "bzip2": (bz2.compress(LINES), "bzip2"),
    "xz": (lzma.compress(LINES), "compressed with xz"),
    "zip": (archive(), "a ZIP archive"),
    "CSV": (b"custom_id,prompt\na,Hello\nb,World\n", "--csv"),
    "quoted CSV": (b'"custom_id";"prompt"\n"a";"Hello; you"\n', "--csv"),
    "Markdown": (b"```jsonl\n" + LINES + b"```\n", "Markdown"),
    "HTML": (b"<!doctype html>\n<html>\n</html>\n", "HTML"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sizes", [(), (1,) * 600])
def test_what_a_file_is(name: str, sizes: tuple[int, ...]) -> None:
    content, said = CASES[name]
    (issue,) = check(content, sizes=sizes).issues
    assert (issue.line, issue.byte_offset, issue.param) == (0, 0, "")
    assert issue.code == ("invalid_utf8" if name.startswith("UTF") else "invalid_json_line")
    assert said in issue.message


def test_a_long_array_is_one_too() -> None:
    """It is a single line, longer than any may be."""
    content = json.dumps([*REQUESTS, "x" * 50_000]).encode()
    for sizes in ((), (1,) * 600, (20_000,)):
        (issue,) = check(content, sizes=sizes).issues
        assert "a JSON array" in issue.message


def test_after_a_byte_order_mark() -> None:
    content = b"\xef\xbb\xbf" + CASES["pretty array"][0]
    checker = check(content)
    assert codes(checker) == [(0, "invalid_json_line", ""), (1, "byte_order_mark", "")]


@pytest.mark.parametrize(
    "content",
    [
        b"{\n" + LINES,
        b"[1]\n" + LINES,
        b"[]\n" + LINES,
        b'{"custom_id": "x",\n' + LINES,
        b"custom_id,prompt\n" + LINES,
        b"nothing\n" + LINES,
    ],
)
def test_a_faulty_first_line_is_just_that(content: bytes) -> None:
    """The other lines are checked as well."""
    checker = check(content + b"{\n")
    assert codes(checker) == [(1, "invalid_json_line", ""), (5, "invalid_json_line", "")]
    assert checker.line_count == 5
