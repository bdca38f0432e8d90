"""Strings from outside, where they enter a URL, a header, a multipart header, a log line or an error.

Callers, providers, files and the network write them; each border has its one function or pattern
here, and nothing else puts such a string there (`tests/test_borders.py`).

    URL         an id is an `ID`, `url_path` refuses anything else; the query goes through `url_query`
    header      `WORD`, `MEDIA_TYPE`, `KEY`
    multipart   `parameter` for names of fields and files
    log line    `shown`, for every value of every line, of whatever library
    audit line  `ascii_shown`
    error       `one_line`, for every message and detail; gRPC encodes what is not ASCII
"""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

# Providers' own ids are shorter; servers that pack routing into ids make them longer.
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=~-]{0,511}", re.ASCII)
MEDIA_TYPE = re.compile(
    r"[\w.+-]{1,100}/[\w.+-]{1,100}(?:; ?[\w.+-]{1,100}=[\w.+-]{1,100}){0,4}", re.ASCII
)
# A key that a caller sends along: gRPC allows spaces in its metadata, which no key has.
KEY = re.compile(r"[!-~]{1,8192}")
WORD = re.compile(r"[\x21-\x7e]{1,256}")
# Of RPCs: a caller's `x-request-id`, and a provider's, which goes on in the trailing metadata.
REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
PROVIDER_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,256}")

LONGEST_SHOWN = 2000


def url_path(*segments: str) -> str:
    """The path of these segments, each an `ID`: it needs no quoting and leads nowhere else.

    Raises:
        ValueError: one is none; what a caller sent is checked before, so a provider named it.
    """
    if not all(map(ID.fullmatch, segments)):
        raise ValueError("a segment is no id")
    return "/" + "/".join(segments)


def url_query(params: Sequence[tuple[str, str]]) -> str:
    """The query of a URL with its question mark; empty without parameters."""
    return f"?{urlencode(params)}" if params else ""


def parameter(value: str) -> str:
    """`value` for a quoted parameter of a multipart header, as browsers write it: UTF-8 as it is.

    Quotes and control characters are percent-encoded (WHATWG), so that no value can end the
    parameter or the header.
    """
    return "".join(
        f"%{ord(character):02X}"
        if character == '"' or ord(character) < 0x20 or character == "\x7f"  # noqa: PLR2004 - the control characters of ASCII
        else character
        for character in value
    )


def one_line(value: str, *, size: int) -> str:
    """One line of printable characters, of at most `size` bytes in UTF-8."""
    if len(value) <= size and value.isascii() and value.isprintable() and "  " not in value:
        return value.strip()
    # Cut first: no text is so long for nothing, and each character has at most four bytes.
    line = " ".join("".join(c if c.isprintable() else " " for c in value[: 4 * size]).split())
    encoded = line.encode()
    if len(encoded) <= size:
        return line
    return encoded[: size - len("…".encode())].decode(errors="ignore") + "…"


def shown(value: str) -> str:
    r"""`value` as it may stand in a log line: nothing that a terminal or a reader of lines obeys.

    Control characters, line separators, marks of direction and halves of surrogate pairs are
    written as `\u001b`; what is long is cut.
    """
    if len(value) > LONGEST_SHOWN:
        value = f"{value[:LONGEST_SHOWN]}…"
    if value.isprintable():
        return value
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value)


def ascii_shown(value: str, *, longest: int) -> str:
    """`value` as `shown` and in ASCII, of at most `longest` characters: nothing looks like another."""
    text = value[: longest + 1]
    if not (text.isascii() and text.isprintable()):
        text = "".join(
            one if one.isascii() and one.isprintable() else one.encode("unicode_escape").decode()
            for one in text
        )
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
