"""The admin listener's settings."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from batchgate_server.settings.addresses import check_listen, is_local
from batchgate_server.settings.forms import FROZEN


class AdminSettings(BaseModel):
    """What the gateway tells by HTTP of itself: metrics, a status page, and probes."""

    model_config = FROZEN

    listen: Annotated[str, AfterValidator(check_listen)] | None = Field(
        default=None,
        description="Address of the admin listener (HTTP): `/metrics`, `/livez`, `/readyz`, and `/` "
        "for people, as `127.0.0.1:9464` or `unix:/path`. Unset means that there is none, and that "
        "nothing is counted.",
    )
    allow_remote: bool = Field(
        default=False,
        description="Whether it may listen off loopback. It knows no callers: whoever reaches it can "
        "read the names of callers, profiles and batches, but no secret and no content.",
    )

    @field_validator("allow_remote")
    @classmethod
    def _is_not_open_by_mistake(cls, allowed: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's parameter
        listen = info.data.get("listen")
        if listen is not None and not is_local(listen) and not allowed:
            raise PydanticCustomError(
                "remote",
                "must be true where admin.listen is reachable from other machines "
                "(--admin-allow-remote): whoever reaches it can read what it shows",
            )
        return allowed
