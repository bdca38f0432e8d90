"""What is said about a mistake: where pydantic speaks of Python and JSON, this says what to write."""

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from batchgate_server.settings.admin import AdminSettings
from batchgate_server.settings.audit import AuditSettings
from batchgate_server.settings.callers import CallerSettings, OverallLimits
from batchgate_server.settings.credentials import REFERENCE_FORMS
from batchgate_server.settings.document import PREFIX, Document, Keys, is_secret, variable_name
from batchgate_server.settings.entra import EntraSettings
from batchgate_server.settings.models import (
    LogSettings,
    ServerSettings,
    Settings,
    WatchSettings,
)
from batchgate_server.settings.problems import did_you_mean
from batchgate_server.settings.profiles import AzureOpenAIProfile, OpenAIProfile, ProfileBase
from batchgate_server.settings.tls import TLSSettings

KINDS: Mapping[str, type[ProfileBase]] = {
    "openai": OpenAIProfile,
    "azure_openai": AzureOpenAIProfile,
}
_TABLES: Mapping[str, type[BaseModel]] = {
    "limits": OverallLimits,
    "log": LogSettings,
    "server": ServerSettings,
    "tls": TLSSettings,
    "watch": WatchSettings,
    "audit": AuditSettings,
    "admin": AdminSettings,
}

_MESSAGES = {
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "missing": "is required",
    "string_type": "must be a string",
    "path_type": "must be the path of a file",
    "frozen_set_type": "must be a list",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}
# Of our own validators, which say all.
_OWN = frozenset({"anonymous", "credential", "exposed", "remote", "workers"})
_NO_TABLE = frozenset({"dict_type", "model_type", "model_attributes_type"})


def message_for(detail: ErrorDetails, keys: Keys, document: Document) -> str:
    """The message for what pydantic found at `keys`."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return unknown_key(keys, document)
    if kind in _NO_TABLE:
        return _no_table(keys, document)
    if kind in _OWN:
        return detail["msg"]
    # Not pydantic's own text where there is none of ours: some of its texts repeat the value.
    message = _MESSAGES.get(kind, "is not valid").format(**detail.get("ctx", {}))
    if kind == "missing" and is_secret(keys) and not document.place(keys).startswith(PREFIX):
        return f"{message}: {REFERENCE_FORMS}"
    return message.replace("'", '"') if kind == "literal_error" else message


def unknown_key(keys: Keys, document: Document) -> str:
    """The message for a key, or a variable, that means nothing."""
    match keys:
        case ("providers", name, field) if other := kind_with(field):
            return f'belongs to kind "{other}", not to kind "{_kind(name, document)}"'
    siblings = _siblings(keys, document)
    if not document.place(keys).startswith(PREFIX):
        return f"unknown key{did_you_mean(keys[-1], siblings)}"
    paths = [(*keys[:-1], sibling) for sibling in siblings]
    if not keys[:-1]:
        # A single underscore instead of two is the likeliest slip.
        paths += [(table, key) for table, model in _TABLES.items() for key in model.model_fields]
    question = did_you_mean(variable_name(keys), map(variable_name, paths), prefix=PREFIX)
    return f"no such setting{question}"


def kind_with(field: str) -> str | None:
    """A kind of profile that has this key, if one does."""
    return next((kind for kind, model in KINDS.items() if field in model.model_fields), None)


def _no_table(keys: Keys, document: Document) -> str:
    if not document.place(keys).startswith(PREFIX):
        return "must be a table"
    first = _siblings((*keys, ""), document)[0]
    return f"is a group of settings; set one of them, as {variable_name((*keys, first))}"


def _siblings(keys: Keys, document: Document) -> list[str]:
    """The keys that are known where the last of `keys` stands."""
    match keys:
        case ("providers", _, "entra", _):
            return list(EntraSettings.model_fields)
        case ("providers", name, _):
            model = KINDS[_kind(name, document)]
            return [field for field in model.model_fields if field != "name"]
        case ("callers", _, _):
            return [field for field in CallerSettings.model_fields if field != "name"]
        case (table, _):
            return list(_TABLES[table].model_fields)
        case _:
            return list(Settings.model_fields)


def _kind(name: str, document: Document) -> str:
    profile = document.profiles()[name]
    return str(profile["kind"]) if isinstance(profile, dict) else next(iter(KINDS))
