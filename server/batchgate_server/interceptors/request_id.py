"""The request id: the caller's own if it is usable, else a new one."""

import secrets
from collections.abc import Iterable

from batchgate_server.outside import REQUEST_ID

HEADER = "x-request-id"


def request_id(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The id of an RPC with this metadata: visible ASCII, safe in logs and headers."""
    for key, value in metadata or ():
        if key == HEADER and isinstance(value, str) and REQUEST_ID.fullmatch(value):
            return value
    return secrets.token_hex(16)
