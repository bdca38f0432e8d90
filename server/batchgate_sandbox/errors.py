"""Why a request is refused, before a flavour gives the refusal its own shape."""

from enum import Enum
from typing import Any


class Reason(Enum):
    """What went wrong, each with the HTTP status that both providers answer."""

    INVALID = ("invalid", 400)
    QUOTA = ("quota", 400)
    UNAUTHORIZED = ("unauthorized", 401)
    NOT_FOUND = ("not_found", 404)
    WRONG_PATH = ("wrong_path", 404)
    WRONG_METHOD = ("wrong_method", 405)
    CONFLICT = ("conflict", 409)
    TOO_LARGE = ("too_large", 413)

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.value[1]


class RefusedError(Exception):
    """A request that the provider answers with an error.

    ``code`` and ``param`` are what OpenAI would put there; Azure derives its own code from
    ``reason``. ``extra`` is added beside the error object.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.code = code
        self.param = param
        self.extra = extra or {}

    def code_or(self, default: str) -> str:
        """The code that was given, else ``default``."""
        return self.code or default


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> RefusedError:
    """A 400: the request itself is wrong."""
    return RefusedError(Reason.INVALID, message, code=code, param=param)
