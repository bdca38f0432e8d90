"""Forms that values of several tables share."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, SecretStr

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


def _check_path(path: object) -> object:
    if isinstance(path, str) and (not path or "\0" in path):
        raise ValueError("must be the path of a file")
    return path


HeaderWord = Annotated[str, AfterValidator(_check_header_word)]
Secret = Annotated[SecretStr, AfterValidator(check_secret)]
FilePath = Annotated[Path, BeforeValidator(_check_path)]
