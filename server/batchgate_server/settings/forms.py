"""Forms that values of several tables share."""

import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, SecretStr

from batchgate_server.settings.credentials import check_secret

_HEADER_WORD = re.compile(r"[!-~]+")

# hide_input_in_errors: an error of pydantic's own would show what was given, secrets included.
FROZEN = ConfigDict(
    frozen=True,
    extra="forbid",
    hide_input_in_errors=True,
    allow_inf_nan=False,
    validate_default=True,
)


def _check_header_word(value: str) -> str:
    if not _HEADER_WORD.fullmatch(value):
        raise ValueError("must be visible ASCII without spaces, and not empty")
    return value


HeaderWord = Annotated[str, AfterValidator(_check_header_word)]
Secret = Annotated[SecretStr, AfterValidator(check_secret)]
