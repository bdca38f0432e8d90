"""A request on its way through the API: its flavour, its account, and what it asked."""

import json
import re
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.requests import Request

from batchgate_sandbox.accounts import Account
from batchgate_sandbox.errors import RefusedError, invalid
from batchgate_sandbox.flavours.openai import OpenAI

_BODY_LIMIT = 1024 * 1024
_WHOLE = re.compile(r"-?\d{1,18}")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler gets."""

    request: Request
    flavour: OpenAI
    account: Account

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, name: str) -> str | None:
        """A parameter of the query; an empty one counts as absent."""
        return self.request.query_params.get(name) or None

    def limit(self, *, default: int, most: int) -> int:
        """The query's ``limit``.

        Raises:
            RefusedError: It is no number from 1 to ``most``.
        """
        given = self.query("limit")
        if given is None:
            return default
        if not _WHOLE.fullmatch(given) or not 1 <= int(given) <= most:
            raise invalid(f"Invalid 'limit': must be an integer from 1 to {most}.", param="limit")
        return int(given)

    async def json(self) -> dict[str, Any]:
        """The request's body.

        Raises:
            RefusedError: It is no JSON object, or unreasonably long.
        """
        body = bytearray()
        async for chunk in self.request.stream():
            body += chunk
            if len(body) > _BODY_LIMIT:
                raise invalid("The request body is too long.")
        try:
            value = json.loads(bytes(body))
        except ValueError as exc:
            raise invalid(
                "We could not parse the JSON body of your request. The API expects a JSON payload."
            ) from exc
        if not isinstance(value, dict):
            raise invalid("The request body must be a JSON object.")
        return value


def page_after(
    items: list[Item],
    ids: list[str],
    *,
    after: str | None,
    limit: int,
    unknown: RefusedError | None,
) -> tuple[list[Item], bool]:
    """The page behind ``after``, and whether there is more.

    Raises:
        RefusedError: ``unknown``, where ``after`` names no item; None: such a cursor is ignored.
    """
    start = 0
    if after is not None:
        if after in ids:
            start = ids.index(after) + 1
        elif unknown is not None:
            raise unknown
    return items[start : start + limit], len(items) > start + limit
