"""The request id: the caller's own if it is usable, else a new one."""

import re
import secrets
from collections.abc import Iterable

HEADER = "x-request-id"
USABLE = re.compile(r"[\x21-\x7e]{1,128}")


def request_id(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The id of an RPC with this metadata: visible ASCII, safe in logs and headers."""
    for key, value in metadata or ():
        if key == HEADER and isinstance(value, str) and USABLE.fullmatch(value):
            return value
    return secrets.token_hex(16)
