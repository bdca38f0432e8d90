"""The audit log's settings."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from batchgate_server.settings.forms import FROZEN

STDOUT = "-"


def _check_path(path: str) -> str:
    if not path or "\0" in path:
        raise ValueError('must be the path of a file, or "-" for the standard output')
    return path


class AuditSettings(BaseModel):
    """Who changed what, and who was refused."""

    model_config = FROZEN

    file: Annotated[str, AfterValidator(_check_path)] | None = Field(
        default=None,
        description='File that the audit log is appended to; `"-"` is the standard output. '
        "Unset means that there is none.",
    )
    required: bool = Field(
        default=True,
        description="Whether calls that change something are refused while the audit log cannot be "
        "written.",
    )
