"""The settings of a gateway, as frozen values."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from batchgate_server.settings.addresses import check_listen, is_local
from batchgate_server.settings.admin import AdminSettings
from batchgate_server.settings.audit import AuditSettings
from batchgate_server.settings.callers import CallerName, CallerSettings, OverallLimits
from batchgate_server.settings.forms import (
    FROZEN,
    Bits,
    Milliseconds,
    NoSeconds,
    Seconds,
    WholeNumber,
)
from batchgate_server.settings.problems import did_you_mean
from batchgate_server.settings.profiles import AzureOpenAIProfile, OpenAIProfile, ProfileName
from batchgate_server.settings.tls import TLSSettings

Profile = Annotated[OpenAIProfile | AzureOpenAIProfile, Field(discriminator="kind")]


class LogSettings(BaseModel):
    """What the gateway writes about its work."""

    model_config = FROZEN

    format: Literal["json", "console"] = Field(
        default="console",
        description="Form of a log line: `json` for machines, `console` for people.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least serious log line that is written: `debug`, `info`, `warning` or `error`.",
    )


class ServerSettings(BaseModel):
    """The gRPC server."""

    model_config = FROZEN

    workers: Annotated[WholeNumber, Field(ge=1, le=256)] = Field(
        default=1,
        description="Processes that share the address, for more than one core. Each has limits, watches "
        "and connections to providers of its own.",
    )
    # Below 1 KiB not even metadata of an upload fits.
    max_message_bytes: Annotated[Bits, Field(ge=1024)] = Field(
        default=4 * 1024 * 1024, description="Bytes of the largest gRPC message that is received."
    )
    max_connections: Bits = Field(
        default=16_000,
        description="Connections from callers that may be open at once; more are closed as they "
        "come. Each needs an open file: fewer are taken where the system allows fewer.",
    )
    max_calls_per_connection: Bits = Field(
        default=2_000,
        description="Calls that may run at once on one connection; a client keeps more waiting.",
    )
    idle_connection_seconds: Annotated[Milliseconds, Field(ge=1)] = Field(
        default=900.0,
        description="Seconds without a call after which a connection is closed; clients open "
        "another by themselves.",
    )
    shutdown_grace_seconds: NoSeconds = Field(
        default=30.0, description="Seconds that running calls get to end after SIGTERM."
    )
    overload_seconds: Seconds = Field(
        default=2.0,
        description="Seconds for which calls may queue before new ones are refused, until the queue is "
        "short again.",
    )
    drain_delay_seconds: NoSeconds = Field(
        default=0.0,
        description="Seconds after SIGTERM for which all is served as before while health says "
        "NOT_SERVING, so that balancers have sent their last call; 5 is enough for most.",
    )
    default_deadline_seconds: Seconds = Field(
        default=60.0,
        description="Seconds of a unary call whose caller set no deadline; WaitBatch has a timeout of "
        "its own.",
    )
    default_creation_deadline_seconds: Seconds = Field(
        default=900.0,
        description="The same for CreateBatch, which may wait for its file, and RetryBatch, which "
        "copies one.",
    )
    stream_idle_seconds: Seconds = Field(
        default=300.0,
        description="Seconds after which a stream is ended whose caller neither sends nor reads.",
    )
    connection_age_seconds: Milliseconds = Field(
        default=1800.0,
        description="Seconds after which a connection takes no new calls, give or take a tenth, so that "
        "callers spread over replicas anew; they open another by themselves.",
    )
    connection_age_grace_seconds: Milliseconds = Field(
        default=3600.0,
        description="Seconds that calls on it get to end before it is closed; a watch is ended after so "
        "long by itself.",
    )
    keepalive_seconds: Milliseconds = Field(
        default=60.0,
        description="Seconds of silence on a connection after which its caller is asked for a sign of "
        "life.",
    )
    keepalive_timeout_seconds: Milliseconds = Field(
        default=20.0,
        description="Seconds to wait for it; then the connection is closed, and its calls end.",
    )
    handshake_timeout_seconds: Seconds = Field(
        default=10.0,
        description="Seconds that a new connection gets for the handshakes of TLS and HTTP/2.",
    )
    insecure: bool = Field(
        default=False,
        description="Whether to listen off loopback without `tls`, so that whoever is on the way can "
        "read and change what is sent.",
    )
    allow_anonymous: bool = Field(
        default=False,
        description="Whether to listen off loopback without `callers`, so that whoever reaches the "
        "address can call all providers.",
    )
    health_check_seconds: NoSeconds = Field(
        default=60.0,
        description="Seconds after which a profile that no call has been to is asked for a list of one "
        "batch, for `grpc.health.v1` of `provider/NAME`; 0: never.",
    )
    reflection: bool = Field(
        default=True, description="Whether tools such as grpcurl can ask for the API's description."
    )


class WatchSettings(BaseModel):
    """How batches are watched for WatchBatch and WaitBatch."""

    model_config = FROZEN

    first_poll_seconds: Seconds = Field(
        default=5.0,
        description="Seconds between two looks at a watched batch that is new or has just changed.",
    )
    slowest_poll_seconds: Seconds = Field(
        default=60.0,
        description="Seconds between two looks at a watched batch that has been the same for long.",
    )
    heartbeat_seconds: Seconds = Field(
        default=30.0,
        description="Seconds of silence after which a watch sends a heartbeat.",
    )

    @field_validator("slowest_poll_seconds")
    @classmethod
    def _not_faster_than_the_first(cls, slowest: float, info: ValidationInfo) -> float:
        if slowest < info.data.get("first_poll_seconds", slowest):
            raise ValueError("must be at least first_poll_seconds")
        return slowest


class Settings(BaseSettings):
    """All that can be configured. Made by `load_settings`; holds no secret that would print."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    listen: Annotated[str, AfterValidator(check_listen)] = Field(
        default="127.0.0.1:50051",
        description="Address to listen on: `host:port`, `[v6]:port` or `unix:/path`; "
        "port 0 takes any free one.",
    )
    default_provider: str | None = Field(
        default=None,
        description="Profile used where a request names none; needed only with several profiles.",
    )
    providers: dict[ProfileName, Profile] = Field(
        min_length=1, description="The provider profiles by name."
    )
    callers: dict[CallerName, CallerSettings] = Field(
        default={}, description="Who may call, by name; without any everybody may."
    )
    limits: OverallLimits = Field(
        default=OverallLimits(), description="What all callers together may use."
    )
    log: LogSettings = Field(default=LogSettings(), description="What is logged.")
    tls: TLSSettings | None = Field(
        default=None, description="TLS towards callers; without it they speak plaintext."
    )
    server: ServerSettings = Field(default=ServerSettings(), description="The gRPC server.")
    watch: WatchSettings = Field(default=WatchSettings(), description="How batches are watched.")
    audit: AuditSettings = Field(
        default=AuditSettings(), description="Who changed what, and who was refused."
    )
    admin: AdminSettings = Field(
        default=AdminSettings(), description="What the gateway tells by HTTP of itself."
    )

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load_settings` decides what the environment may say."""
        return (init_settings,)

    @field_validator("providers", "callers", mode="before")
    @classmethod
    def _name_tables(cls, tables: object) -> object:
        if not isinstance(tables, Mapping):
            return tables
        return {
            key: {"name": key, **table} if isinstance(table, Mapping) else table
            for key, table in tables.items()
        }

    # On a late field, so that it is told together with other mistakes.
    @field_validator("server")
    @classmethod
    def _is_not_open_by_mistake(
        cls, server: ServerSettings, info: ValidationInfo
    ) -> ServerSettings:
        callers, listen = info.data.get("callers"), info.data.get("listen")
        if server.workers > 1 and listen is not None and listen.startswith("unix:"):
            raise PydanticCustomError(
                "workers",
                "workers cannot share a unix socket: listen on host:port, or leave it at 1",
            )
        if callers and server.allow_anonymous:
            raise PydanticCustomError(
                "anonymous",
                "contradicts callers, since with callers every call needs a credential; "
                "leave out one of them",
            )
        if listen is None or is_local(listen):
            return server
        missing = []
        if "tls" in info.data and info.data["tls"] is None and not server.insecure:
            missing.append(
                "and there is no TLS: add [tls] with certificate_file and key_file, or allow "
                "plaintext with --insecure"
            )
        if callers == {} and not server.allow_anonymous:
            missing.append(
                "and no callers are configured: add [callers.NAME] with a token that "
                "`batchgate keys new NAME` makes, or allow everybody with --allow-anonymous"
            )
        if missing:
            what = "; ".join(missing)
            raise PydanticCustomError(
                "exposed", "is reachable from other machines, {missing}", {"missing": what}
            )
        return server

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for table in (self.providers, self.callers):
            for key, named in table.items():
                if named.name != key:
                    raise ValueError("a name must be the table's key")
        problem = unknown_default(self.default_provider, self.providers)
        if problem is not None:
            raise ValueError(problem)
        return self


def unknown_default(name: str | None, profiles: Iterable[str]) -> str | None:
    """What is wrong with this `default_provider`, or None."""
    names = list(profiles)
    if name is None or name in names:
        return None
    return f"must name a profile: {', '.join(names)}{did_you_mean(name, names)}"
