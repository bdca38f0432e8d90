"""What an answer tells of the file of which it is the content, or a part of it."""

import re
from dataclasses import dataclass

import httpx

from batchgate_server.errors import ProviderBadResponse

PARTIAL_CONTENT = 206
CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
SIZE = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """A file as an answer tells of it, so that two answers can be known to be of the same."""

    total: int | None
    """Its size in bytes as it is sent, if told."""
    tag: str
    """Its ETag, if told."""
    is_encoded: bool
    """Whether it is sent compressed."""

    @classmethod
    def told_by(cls, response: httpx.Response) -> "Whole":
        """What the headers of an answer say."""
        headers = response.headers
        if response.status_code == PARTIAL_CONTENT:
            total = headers.get("content-range", "").rpartition("/")[2]
        else:
            total = headers.get("content-length", "")
        return cls(
            total=int(total) if SIZE.fullmatch(total) else None,
            tag=headers.get("etag", ""),
            is_encoded=headers.get("content-encoding", "identity") != "identity",
        )

    def may_be(self, other: "Whole") -> bool:
        """Whether nothing that both tell is different."""
        comparable = self.is_encoded == other.is_encoded
        totals = {self.total, other.total} - {None} if comparable else set()
        return len(totals) <= 1 and len({self.tag, other.tag} - {""}) <= 1


def start_of(response: httpx.Response, offset: int, end: int | None, *, provider: str) -> int:
    """The place in the file of the answer's first byte; it reaches `end`, None being the file's."""
    if response.status_code != PARTIAL_CONTENT:
        return 0
    match = CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    if match and int(match[1]) <= offset and not Whole.told_by(response).is_encoded:
        behind = int(match[2]) + 1
        # A server may answer with less than was asked for: that is not the end of the file.
        if match[3] in {"*", str(behind)} or (end is not None and behind >= end):
            return int(match[1])
    raise ProviderBadResponse(f"{provider} answered with another range than was asked for")
