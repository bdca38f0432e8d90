"""The list of all settings, made from the models: what the README's table says and is checked by."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from batchgate_server.settings.admin import AdminSettings
from batchgate_server.settings.audit import AuditSettings
from batchgate_server.settings.callers import CallerSettings, OverallLimits
from batchgate_server.settings.document import variable_name
from batchgate_server.settings.entra import EntraSettings
from batchgate_server.settings.models import (
    LogSettings,
    ServerSettings,
    Settings,
    WatchSettings,
)
from batchgate_server.settings.profiles import AzureOpenAIProfile, OpenAIProfile
from batchgate_server.settings.tls import TLSSettings

# Stands for a profile's name in paths and variables.
PROFILE = "NAME"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its path in the file, its variable, its default as in TOML, its meaning.

    The default is "required" where there is none, and empty where leaving it out means nothing
    is set.
    """

    name: str
    variable: str
    default: str
    meaning: str


def reference() -> list[Row]:
    """All settings in the order of the file; those of a profile once, for profile `NAME`."""
    rows = [
        *_rows(Settings, ()),
        *_rows(OpenAIProfile, ("providers", PROFILE)),
        *_rows(AzureOpenAIProfile, ("providers", PROFILE)),
        *_rows(EntraSettings, ("providers", PROFILE, "entra")),
        *_rows(CallerSettings, ("callers", PROFILE)),
        *_rows(OverallLimits, ("limits",)),
        *_rows(LogSettings, ("log",)),
        *_rows(TLSSettings, ("tls",)),
        *_rows(ServerSettings, ("server",)),
        *_rows(WatchSettings, ("watch",)),
        *_rows(AuditSettings, ("audit",)),
        *_rows(AdminSettings, ("admin",)),
    ]
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.name, row)
    return list(first.values())


def _rows(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[Row]:
    # The tables have rows for what is in them, and a name is its table's key.
    tables = {"providers", "callers", "limits", "log", "tls", "server", "watch", "audit", "admin"}
    left_out = {"name", "entra"} if above else tables
    for key, field in model.model_fields.items():
        if key not in left_out:
            keys = (*above, key)
            yield Row(
                ".".join(keys), variable_name(keys), _default(key, field), field.description or ""
            )


def _default(key: str, field: FieldInfo) -> str:
    # `kind` has a default for those who make a profile in Python; a file has to say it.
    if key == "kind" or field.is_required():
        return "required"
    match field.default:
        case None:
            return ""
        case ():
            return "[]"
        case bool():
            return str(field.default).lower()
        case str():
            return f'"{field.default}"'
        case _:
            return str(field.default)
