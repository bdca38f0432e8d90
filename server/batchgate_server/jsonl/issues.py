"""Faults of lines, in the providers' own words where there are such."""

from dataclasses import dataclass

MAX_ISSUES = 100
MISSING = "missing_required_parameter"
INVALID_JSON = "invalid_json_line"
INVALID_UTF8 = "invalid_utf8"
BYTE_ORDER_MARK = "byte_order_mark"


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault; `line` is counted from 1, and 0 stands for the whole file."""

    line: int
    byte_offset: int
    code: str
    message: str
    param: str = ""
    custom_id: str = ""


def streaming(*, line: int, byte_offset: int, custom_id: str) -> Issue:
    """The warning of a body with `"stream": true`: no batch streams, and who wrote it may expect it."""
    return Issue(
        line=line,
        byte_offset=byte_offset,
        code="unsupported_value",
        message=(
            '"stream": true has no effect in a batch, and the provider may refuse the request for it; '
            "leave it out"
        ),
        param="body.stream",
        custom_id=custom_id,
    )


class Faulty(Exception):
    """What `diagnosis` finds wrong with a line."""

    def __init__(self, code: str, message: str, *, param: str = "", custom_id: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.param = param
        self.custom_id = custom_id[:256]

    @property
    def unreadable(self) -> bool:
        """Whether the line is no JSON at all, or no object."""
        return self.code in {INVALID_JSON, INVALID_UTF8}
