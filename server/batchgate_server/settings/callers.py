"""Callers: how each is known, what it may do, and how much."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationInfo,
    field_validator,
)

from batchgate_server.settings.forms import FROZEN, Count, Number, Rate, check_name
from batchgate_server.settings.problems import did_you_mean
from batchgate_server.settings.profiles import ProfileName

OPERATIONS = (
    "files.read",
    "files.write",
    "files.delete",
    "batches.read",
    "batches.create",
    "batches.cancel",
)
# What a caller without `allow` may not do.
NAMED_ALWAYS = frozenset({"files.delete", "batches.cancel"})

_DIGEST = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")


def _check_digest(digest: str) -> str:
    # Not a word of the value: it may be the token.
    if not _DIGEST.fullmatch(digest):
        raise ValueError(
            "must be the SHA-256 of a token in 64 hexadecimal digits, as `batchgate keys new` "
            "prints it; the token itself must not stand in the file"
        )
    return digest.lower()


def _check_san(name: str) -> str:
    if _URI.fullmatch(name):
        return name
    if not _HOST.fullmatch(name):
        raise ValueError(
            "must be the whole name in the certificate, without wildcards: a DNS name, or a URI "
            'such as "spiffe://mesh/ns/team-a/sa/worker"'
        )
    return name.lower()


def _check_model(model: str) -> str:
    if not model or not model.isprintable():
        raise ValueError("must be the name of a model")
    return model


Operation = Literal[
    "files.read", "files.write", "files.delete", "batches.read", "batches.create", "batches.cancel"
]
CallerName = Annotated[str, AfterValidator(lambda name: check_name(name, "a caller"))]
Digest = Annotated[str, AfterValidator(_check_digest)]
San = Annotated[str, AfterValidator(_check_san)]
Model = Annotated[str, AfterValidator(_check_model)]


class Limits(BaseModel):
    """How much at once, per second and per day; None is without limit. Counted in this process."""

    model_config = FROZEN

    max_calls: Count | None = Field(
        default=None, description="Calls that may run at once, but those of `max_watches`."
    )
    max_uploads: Count | None = Field(
        default=None, description="Uploads, submits and retries that may run at once."
    )
    max_watches: Count | None = Field(
        default=None,
        description="WatchBatch, WaitBatch and StreamBatchResults calls that may run at once.",
    )
    calls_per_second: Rate | None = Field(
        default=None,
        description="Calls that may begin per second, on average; a second's worth may come at once.",
    )
    bytes_per_day: Count | None = Field(
        default=None,
        description="Bytes of files that may go in either direction per day (UTC).",
    )


class OverallLimits(Limits):
    """What all callers together may use."""

    caller_share: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.8,
        description="Part of `max_calls`, `max_uploads` and `max_watches`, and of each profile's "
        "`max_connections` and `max_waiting`, that one caller may have alone; several that want much "
        "come to equal parts, and some is left for who comes next. 1: no bound.",
    )
    max_calls: Count | None = Field(
        default=1000,
        description="Calls of all callers that may run at once, but those of `max_watches`.",
    )
    max_uploads: Count | None = Field(
        default=100,
        description="Uploads, submits and retries of all callers that may run at once; each takes about 5 MB.",
    )
    max_watches: Count | None = Field(
        default=10_000,
        description="WatchBatch, WaitBatch and StreamBatchResults calls of all callers that may run at once.",
    )
    calls_per_second: Rate | None = Field(
        default=None, description="Calls of all callers that may begin per second, on average."
    )
    bytes_per_day: Count | None = Field(
        default=None,
        description="Bytes of files of all callers that may go in either direction per day (UTC).",
    )


class CallerSettings(Limits):
    """One who calls: known by a token or a certificate, and held to what is listed here."""

    name: CallerName = Field(description="The caller's key in `callers`; not set by itself.")
    token_sha256: tuple[Digest, ...] = Field(
        default=(),
        repr=False,
        description="SHA-256 of each token that is this caller's, as `batchgate keys new` prints it; "
        "several let tokens rotate.",
    )
    san: tuple[San, ...] = Field(
        default=(),
        description="Names in client certificates that are this caller's: DNS names, or URIs such as "
        "SPIFFE ids. Needs `tls.client_ca_file`.",
    )
    providers: frozenset[ProfileName] | None = Field(
        default=None, description="Profiles that the caller may use; unset means all."
    )
    default_provider: str | None = Field(
        default=None,
        description="Profile used where a request of this caller names none; unset means the "
        "gateway's default, if the caller may use it.",
    )
    allow: frozenset[Operation] | None = Field(
        default=None,
        description="What the caller may do: `files.read`, `files.write`, `files.delete`, "
        "`batches.read`, `batches.create`, `batches.cancel`; unset means all but `files.delete` and "
        "`batches.cancel`.",
    )
    models: frozenset[Model] | None = Field(
        default=None,
        description="Models that lines of the caller's batches may name; unset means all.",
    )
    max_upload_bytes: Count | None = Field(
        default=None, description="Bytes of the largest file that the caller may upload."
    )

    @field_validator("san")
    @classmethod
    def _is_known_somehow(cls, san: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if not san and "token_sha256" in info.data and not info.data["token_sha256"]:
            raise ValueError(
                "or token_sha256 is required: how else is the caller known? "
                "`batchgate keys new NAME` makes a token"
            )
        return san

    @field_validator("providers", "allow", "models")
    @classmethod
    def _names_any(cls, names: frozenset[str] | None) -> frozenset[str] | None:
        if names is not None and not names:
            raise ValueError("must name at least one; leave it out to allow what is usual")
        return names


def problems_of(
    callers: Mapping[str, object], profiles: Collection[str]
) -> Iterator[tuple[tuple[str, str, str], str]]:
    """What is wrong among callers as they are written, and between them and the profiles.

    Each with its place. What is not of the right form is passed over: the models tell of it.
    """
    owners: dict[str, str] = {}
    for name, caller in callers.items():
        if not isinstance(caller, Mapping):
            continue
        for field in ("token_sha256", "san"):
            for proof in _texts(caller.get(field)):
                owner = owners.setdefault(proof.lower(), name)
                if owner != name:
                    yield ("callers", name, field), f"has one that is {owner}'s too; each is one's"
        for wanted in _texts(caller.get("providers")):
            if wanted not in profiles:
                hint = did_you_mean(wanted, profiles)
                yield ("callers", name, "providers"), f"has one that is no profile{hint}"
        usable = _texts(caller.get("providers")) or sorted(profiles)
        default = caller.get("default_provider")
        if isinstance(default, str) and default not in usable:
            hint = did_you_mean(default, usable)
            yield (
                ("callers", name, "default_provider"),
                f"must be a profile that the caller may use: {', '.join(usable)}{hint}",
            )


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
