"""Provider profiles: who is called, as whom, and how patiently."""

import re
import ssl
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from batchgate_server.settings.addresses import (
    check_azure_endpoint,
    check_base_url,
    check_proxy_url,
)
from batchgate_server.settings.entra import EntraSettings
from batchgate_server.settings.forms import (
    FROZEN,
    Count,
    FilePath,
    HeaderWord,
    NoSeconds,
    Seconds,
    Secret,
    Times,
    check_name,
)
from batchgate_server.settings.tls_files import load_ca, load_certificate

_API_VERSION = re.compile(r"(\d{4}-\d{2}-\d{2})(-preview)?", re.ASCII)
_LIFETIME = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DAY = 86400
# Up to this one (the newest stable dated one) api-versions neither page through files nor let files
# expire; 2025-04-01-preview does both.
_LAST_WITHOUT_EXPIRY = "2024-10-21"


def _check_api_version(version: str) -> str:
    dated = _API_VERSION.fullmatch(version)
    try:
        if version != "v1":
            date.fromisoformat(dated[1] if dated else "")
    except ValueError:
        raise ValueError('must be "v1", "YYYY-MM-DD" or "YYYY-MM-DD-preview"') from None
    return version


def _read_lifetime(value: object) -> object:
    """Seconds from a number or a text such as "14d"; what is neither is refused."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    written = _LIFETIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if written is None:
        raise ValueError('must be whole seconds, or a text such as "14d", "36h" or "90m"')
    return int(written[1]) * _UNITS[written[2]]


def _within(shortest: int, longest: int, said: str) -> AfterValidator:
    """Refuses lifetimes (seconds) outside of what a provider documents."""

    def check(seconds: int | None) -> int | None:
        if seconds is not None and not shortest <= seconds <= longest:
            raise ValueError(f"must be {said}: the provider takes nothing else")
        return seconds

    return AfterValidator(check)


def _is_old(api_version: str) -> bool:
    return api_version != "v1" and api_version[:10] <= _LAST_WITHOUT_EXPIRY


ProfileName = Annotated[str, AfterValidator(lambda name: check_name(name, "a profile"))]
ProxyUrl = Annotated[SecretStr, AfterValidator(check_proxy_url)]
Lifetime = Annotated[int | None, BeforeValidator(_read_lifetime)]
# https://platform.openai.com/docs/api-reference/files/create and batch/create: 1 hour to 30 days.
OpenAILifetime = Annotated[Lifetime, _within(3600, 30 * _DAY, "1 hour to 30 days")]
# https://learn.microsoft.com/azure/ai-foundry/openai/how-to/batch: 14 to 30 days.
AzureLifetime = Annotated[Lifetime, _within(14 * _DAY, 30 * _DAY, "14 to 30 days")]
INPUT_LIFETIME = (
    "How long the provider keeps an input file where a request does not say: seconds, or a text "
    'such as `"14d"` or `"36h"`. openai takes 1 hour to 30 days, azure_openai 14 to 30 days; unset '
    "means as long as the provider likes."
)
OUTPUT_LIFETIME = "The same for output files."


class ProfileBase(BaseModel):
    """What every kind of provider has."""

    model_config = FROZEN

    name: ProfileName = Field(description="The profile's key in `providers`; not set by itself.")
    caller_credentials: bool = Field(
        default=False,
        description="Whether each call brings the caller's own key, as the metadata "
        "`x-provider-key`; the profile then has no credential of its own.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file with the authorities that may have signed the provider's certificate, "
        "in place of the usual ones.",
    )
    client_certificate_file: FilePath | None = Field(
        default=None,
        description="PEM file with the certificate that the gateway shows to the provider; read "
        "again when it changes.",
    )
    client_key_file: FilePath | None = Field(
        default=None,
        description="PEM file with that certificate's key, unless it is in the same file.",
    )
    proxy_url: ProxyUrl | None = Field(
        default=None,
        description="HTTP proxy on the way to the provider, as `http://HOST:PORT`; with user name "
        "and password it is a secret, in the file a reference to it.",
    )
    connect_timeout_seconds: Seconds = Field(
        default=5.0, description="Seconds to wait for a connection to the provider."
    )
    timeout_seconds: Seconds = Field(
        default=600.0,
        description="Seconds for one whole REST call that is not an upload or download, all attempts "
        "included.",
    )
    idle_timeout_seconds: Seconds = Field(
        default=120.0,
        description="Seconds without a byte after which an upload or download is given up.",
    )
    max_connections: Count = Field(
        default=100, description="Connections to the provider that may be open at once."
    )
    max_waiting: Count = Field(
        default=100,
        description="Requests that may wait for one of them, `connect_timeout_seconds` long; more fail "
        "at once.",
    )
    retries: Times = Field(
        default=2,
        description="Attempts beyond the first of what may be repeated, after failures that pass.",
    )
    retry_first_seconds: Seconds = Field(
        default=0.5,
        description="Seconds before the second attempt at most; they double with each attempt.",
    )
    retry_cap_seconds: Seconds = Field(
        default=10.0,
        description="Seconds between two attempts at most; a provider that asks for more is not "
        "asked again.",
    )
    breaker_failures: Times = Field(
        default=10,
        description="Failures in a row after which the provider is left alone but for probes; 0: "
        "never.",
    )
    breaker_after_seconds: NoSeconds = Field(
        default=10.0,
        description="Seconds for which nothing but failures must have come before that.",
    )
    breaker_probe_seconds: Seconds = Field(
        default=5.0, description="Seconds between two such probes."
    )
    models: dict[str, str] = Field(
        default={},
        description="Models to replace in the lines of batch files, as "
        '`{ "gpt-4o" = "my-deployment" }`; no name may become one that is replaced itself.',
    )
    max_line_bytes: Count = Field(
        default=16 * 1024 * 1024,
        description="Bytes of the longest line of a batch file that is checked.",
    )
    max_batch_file_bytes: Count = Field(
        default=200 * 1024 * 1024,
        description="Bytes of the largest file of purpose `batch`: both providers document 200 MB.",
    )
    max_upload_bytes: Count = Field(
        default=512 * 1024 * 1024, description="Bytes of the largest file that may be uploaded."
    )

    @field_validator("models")
    @classmethod
    def _replaces_once(cls, models: dict[str, str]) -> dict[str, str]:
        for name, sent in models.items():
            then = models.get(sent, sent)
            if then != sent:
                raise ValueError(
                    f"{name!r} becomes {sent!r}, which becomes {then!r} itself, so that it would "
                    "depend on how often a line passes the gateway; let each name become what the "
                    "provider is to get, and nothing that is replaced again"
                )
        return models

    @field_validator("ca_file")
    @classmethod
    def _can_be_trusted(cls, path: Path | None) -> Path | None:
        if path is not None:
            load_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), path)
        return path

    @field_validator("client_key_file")
    @classmethod
    def _has_its_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        certificate = info.data.get("client_certificate_file")
        if certificate is not None:
            load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key)
        elif key is not None and "client_certificate_file" in info.data:
            raise ValueError("needs client_certificate_file beside it")
        return key


class OpenAIProfile(ProfileBase):
    """OpenAI itself, or anything that speaks its API."""

    kind: Literal["openai"] = Field(
        default="openai", description="The provider's API: `openai` or `azure_openai`."
    )
    max_requests_per_batch: Count = Field(
        default=50_000,
        description="Lines of the largest batch file: openai documents 50,000, azure_openai 100,000.",
    )
    base_url: Annotated[str, AfterValidator(check_base_url)] = Field(
        default="https://api.openai.com/v1",
        description="URL to which the API's paths are appended, `/v1` included (openai).",
    )
    api_key: Secret | None = Field(
        default=None,
        description="The provider's API key; in the file a reference to it. Required, unless there "
        "is `caller_credentials`, or for azure_openai `entra_token` or `entra`.",
    )
    organization: HeaderWord | None = Field(
        default=None, description="Organization to which usage is counted (openai)."
    )
    project: HeaderWord | None = Field(
        default=None, description="Project to which usage is counted (openai)."
    )
    input_expires_after: OpenAILifetime = Field(default=None, description=INPUT_LIFETIME)
    output_expires_after: OpenAILifetime = Field(default=None, description=OUTPUT_LIFETIME)

    @field_validator("api_key")
    @classmethod
    def _has_one_credential(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        callers = info.data.get("caller_credentials")
        if key is None and callers is False:
            raise PydanticCustomError("missing", "is required")
        if key is not None and callers:
            raise PydanticCustomError(
                "credential", "has both api_key and caller_credentials; leave out one of them"
            )
        return key


class AzureOpenAIProfile(ProfileBase):
    """A resource of Azure OpenAI."""

    kind: Literal["azure_openai"] = Field(
        default="azure_openai", description="The provider's API: `openai` or `azure_openai`."
    )
    max_requests_per_batch: Count = Field(
        default=100_000,
        description="Lines of the largest batch file: openai documents 50,000, azure_openai 100,000.",
    )
    url_prefix: Literal["", "/v1"] | None = Field(
        default=None,
        description='Brings the urls of lines, and endpoints of batches, into the form `/v1/chat/completions` (`"/v1"`) or `/chat/completions` (`""`); unset leaves them (azure_openai).',
    )
    endpoint: Annotated[str, AfterValidator(check_azure_endpoint)] = Field(
        description="The resource's URL, as `https://NAME.openai.azure.com` (azure_openai)."
    )
    api_version: Annotated[str, AfterValidator(_check_api_version)] = Field(
        default="v1",
        description="Version of the API: `v1`, `YYYY-MM-DD` or `YYYY-MM-DD-preview` "
        "(azure_openai).",
    )
    api_key: Secret | None = Field(
        default=None,
        description="The resource's API key; in the file a reference to it.",
    )
    entra_token: Secret | None = Field(
        default=None,
        description="A Microsoft Entra access token, sent in place of an API key; in the file a "
        "reference to it (azure_openai).",
    )
    entra: EntraSettings | None = Field(
        default=None, description="How the gateway gets Microsoft Entra tokens by itself."
    )

    input_expires_after: AzureLifetime = Field(default=None, description=INPUT_LIFETIME)
    output_expires_after: AzureLifetime = Field(default=None, description=OUTPUT_LIFETIME)

    @property
    def is_old(self) -> bool:
        """Whether the api-version neither pages through files nor lets files expire."""
        return _is_old(self.api_version)

    @field_validator("input_expires_after", "output_expires_after")
    @classmethod
    def _can_expire(cls, seconds: int | None, info: ValidationInfo) -> int | None:
        version = info.data.get("api_version", "")
        if seconds is not None and version and _is_old(version):
            raise ValueError(
                f"is not possible with api_version {version}, which lets no file expire; "
                'leave it out, or take "v1"'
            )
        return seconds

    # On the last of them instead of the model, so that it is told together with other mistakes.
    @field_validator("entra")
    @classmethod
    def _has_one_credential(
        cls, entra: EntraSettings | None, info: ValidationInfo
    ) -> EntraSettings | None:
        data = info.data
        if {"api_key", "entra_token", "caller_credentials"} <= data.keys():
            given = (data["api_key"], data["entra_token"], entra, data["caller_credentials"])
            if sum(map(bool, given)) != 1:
                raise PydanticCustomError(
                    "credential",
                    "needs exactly one of api_key, entra_token, entra and caller_credentials",
                )
        return entra
