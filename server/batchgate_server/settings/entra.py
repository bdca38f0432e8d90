"""Microsoft Entra ID: how a gateway gets its own tokens for Azure OpenAI."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from batchgate_server.settings.addresses import check_authority
from batchgate_server.settings.forms import FROZEN, FilePath, HeaderWord, Secret

# What each way needs; the third, managed_identity, takes a client_id where there are several.
NEEDS = {
    "client_secret": ("tenant_id", "client_id", "client_secret"),
    "workload_identity": ("tenant_id", "client_id", "token_file"),
    "managed_identity": (),
}
# Azure's webhook sets them in pods with a workload identity.
WORKLOAD_VARIABLES = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "token_file": "AZURE_FEDERATED_TOKEN_FILE",
    "authority": "AZURE_AUTHORITY_HOST",
}


def is_installed() -> bool:
    """Whether the extra `entra` is."""
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


class EntraSettings(BaseModel):
    """How tokens are had."""

    model_config = FROZEN

    method: Literal["client_secret", "workload_identity", "managed_identity"] = Field(
        description="How the gateway gets Microsoft Entra tokens, in place of an API key: "
        "`client_secret`, `workload_identity` or `managed_identity`; needs "
        "`pip install 'batchgate[entra]'` (azure_openai)."
    )
    authority: Annotated[str, AfterValidator(check_authority)] = Field(
        default="https://login.microsoftonline.com",
        description="Address of Microsoft Entra, for sovereign clouds; for workload_identity "
        "`AZURE_AUTHORITY_HOST` if unset.",
    )
    scope: HeaderWord = Field(
        default="https://cognitiveservices.azure.com/.default",
        description="What the token is asked for.",
    )
    tenant_id: HeaderWord | None = Field(
        default=None,
        description="Tenant of the application; for workload_identity `AZURE_TENANT_ID` if unset.",
    )
    client_id: HeaderWord | None = Field(
        default=None,
        description="Id of the application; for workload_identity `AZURE_CLIENT_ID` if unset; for "
        "managed_identity that of a user-assigned identity.",
    )
    client_secret: Secret | None = Field(
        default=None, description="The application's secret; in the file a reference to it."
    )
    token_file: FilePath | None = Field(
        default=None,
        description="File with the federated token, for workload_identity "
        "`AZURE_FEDERATED_TOKEN_FILE` if unset.",
    )

    @field_validator("method")
    @classmethod
    def _is_possible(cls, method: str) -> str:
        if not is_installed():
            raise ValueError("needs a package: pip install 'batchgate[entra]'")
        return method

    @field_validator("tenant_id", "client_id", "client_secret", "token_file")
    @classmethod
    def _fits_the_method(
        cls, value: str | SecretStr | Path | None, info: ValidationInfo
    ) -> str | SecretStr | Path | None:
        method, field = info.data.get("method", ""), info.field_name or ""
        if method not in NEEDS:
            return value
        if field in NEEDS[method] and value is None:
            variable = WORKLOAD_VARIABLES.get(field, "")
            hint = f" (or {variable})" if method == "workload_identity" else ""
            raise ValueError(f'is required with method "{method}"{hint}')
        if field not in NEEDS[method] and value is not None and field != "client_id":
            raise ValueError(f'means nothing with method "{method}"; leave it out')
        return value
