"""What a file is that is not JSON Lines: one message in place of a fault for each of its lines."""

import re
from collections.abc import Sequence

from batchgate_server.jsonl.issues import INVALID_JSON, INVALID_UTF8

# Bytes of a line that are looked at.
HEAD = 512
BLANK = b" \t\r\n"
_MAGIC = (
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
)
_UTF32 = re.compile(rb"\xff\xfe\0\0|\0\0\xfe\xff|[\[{]\0\0\0|\0\0\0[\[{]")
_UTF16 = re.compile(rb"\xff\xfe|\xfe\xff|[\[{]\0|\0[\[{]")
_ARRAY = re.compile(rb"\[\s*(?:\{|$)")
_ONE_LINE = "put each request on a line of its own"
_AS_UTF8 = "save it as UTF-8 without a byte order mark, such as with: iconv -t UTF-8 -f"


def file_kind(lines: Sequence[bytes]) -> tuple[str, str] | None:
    """The code and the message of a file that begins with these faulty lines, of which one or two.

    None if they are just faulty: then each line has its own message.
    """
    first = lines[0].strip(BLANK)
    for magic, what in _MAGIC:
        if first.startswith(magic):
            return INVALID_JSON, f"the file is {what}, not JSON Lines; send it as plain text"
    if _UTF32.match(first):
        return INVALID_UTF8, f"the file is in UTF-32; {_AS_UTF8} UTF-32"
    if _UTF16.match(first):
        return INVALID_UTF8, f"the file is in UTF-16; {_AS_UTF8} UTF-16"
    text = _text_kind(first) or (_of_two(first, lines[1]) if len(lines) > 1 else None)
    return (INVALID_JSON, text) if text else None


def shortened(line: bytes) -> bytes:
    """As much of a line as is looked at: its begin and its end."""
    return line if len(line) <= HEAD else line[: HEAD // 2] + line[-HEAD // 2 :]


def _text_kind(first: bytes) -> str | None:
    if _ARRAY.match(first) or (first.startswith(b"[") and not first.endswith(b"]")):
        return (
            f"the file is a JSON array, not JSON Lines: {_ONE_LINE}, without brackets and commas "
            "around it, such as with: jq -c '.[]'"
        )
    if first.startswith(b"{'"):
        return "the file has objects as Python prints them; write each line with json.dumps"
    if first.startswith(b"```"):
        return "the file begins with a Markdown fence (```); leave that line and the last one out"
    if first.startswith(b"<"):
        return "the file is HTML or XML, not JSON Lines"
    return None


def _of_two(first: bytes, second: bytes) -> str | None:
    if first.startswith(b"{"):
        if second.startswith(b"{"):
            return None
        return f"the file has a JSON object over several lines: {_ONE_LINE}, such as with: jq -c ."
    for delimiter in (b",", b";", b"\t"):
        if 0 < first.count(delimiter) <= second.count(delimiter):
            return (
                "the file looks like a table (CSV), not JSON Lines; `batchgate submit --csv` makes "
                "a batch of one"
            )
    return None
