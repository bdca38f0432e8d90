"""Forms that values of several tables share."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr

from batchgate_server.settings.credentials import check_secret

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_HEADER_WORD = re.compile(r"[!-~]+")

# hide_input_in_errors: an error of pydantic's own would show what was given, secrets included.
FROZEN = ConfigDict(
    frozen=True,
    extra="forbid",
    hide_input_in_errors=True,
    allow_inf_nan=False,
    validate_default=True,
)


def check_name(name: str, what: str) -> str:
    """The name of a table, if it is short and plain: names stand in messages, logs and metrics."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{what}'s name must be 1 to 63 of a-z, 0-9, _, . and -, and begin with a letter "
            "or digit"
        )
    return name


def refuse_bool(value: object) -> object:
    """The value, unless it is true or false, which pydantic would read as 1 or 0."""
    if isinstance(value, bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic collects only ValueError
    return value


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

Number = Annotated[float, BeforeValidator(refuse_bool)]
Seconds = Annotated[Number, Field(gt=0)]
NoSeconds = Annotated[Number, Field(ge=0)]
Rate = Annotated[Number, Field(gt=0)]
WholeNumber = Annotated[int, BeforeValidator(refuse_bool)]
Count = Annotated[WholeNumber, Field(ge=1)]
Times = Annotated[WholeNumber, Field(ge=0)]
# gRPC holds whole numbers, and seconds as milliseconds, in 32 bits.
Bits = Annotated[WholeNumber, Field(ge=1, le=2**31 - 1)]
Milliseconds = Annotated[Number, Field(ge=0.001, le=2_000_000)]
