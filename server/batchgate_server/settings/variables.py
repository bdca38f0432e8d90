"""The gateway's own variables, such as `BATCHGATE_LISTEN` or `BATCHGATE_PROVIDERS__NAME__API_KEY`.

An empty variable counts as unset, as container tools often pass one on for nothing.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import SecretStr

from batchgate_server.settings.credentials import SECRETS, Reference
from batchgate_server.settings.document import DELIMITER, PREFIX, Document, Entry, Keys
from batchgate_server.settings.entra import EntraSettings
from batchgate_server.settings.problems import Problem

CONFIG_VARIABLE = "BATCHGATE_CONFIG"
# Of the clients and the command line: who calls a gateway may also run one.
CLIENT_VARIABLES = frozenset(
    f"{PREFIX}{name}"
    for name in (
        *("ADDRESS", "PROVIDER", "TIMEOUT", "TOKEN", "TOKEN_FILE"),
        *("TLS", "TLS_CA", "TLS_CERT", "TLS_KEY"),
    )
)
# What clients and the command line read; a shell that calls a gateway may also start one.
_CLIENTS = {
    f"{PREFIX}{name}"
    for name in (
        *("ADDRESS", "PROVIDER", "TOKEN", "TOKEN_FILE", "TIMEOUT"),
        *("TLS", "TLS_CA", "TLS_CERT", "TLS_KEY"),
    )
}

# Kubernetes gives every pod such variables for each service of its namespace; one named
# batchgate or batchgate-… must not keep the gateway from starting.
_SERVICE_LINK = re.compile(
    r"BATCHGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_PORT = re.compile(r"BATCHGATE_(\w+_)?PORT")
_SERVICE_PORT_VALUE = re.compile(r"(tcp|udp|sctp)://")


def read_variables(environment: Mapping[str, str], document: Document) -> list[Entry]:
    """What the variables set, over the file whose values the document already has."""
    entries: dict[Keys, Entry] = {}
    names = list(document.profiles())
    for variable in sorted(environment):
        value = environment[variable]
        if not value or not variable.startswith(PREFIX) or _is_foreign(variable, value):
            continue
        try:
            entry = _entry(variable, value, names)
        except ValueError as problem:
            document.problems.append(Problem(variable, str(problem)))
            continue
        if entry.keys in entries:
            other = entries[entry.keys].place
            document.problems.append(Problem(variable, f"sets the same as {other}; keep one"))
        entries[entry.keys] = entry
        match entry.keys:
            case ("providers", name, _) if name not in names:
                names.append(name)
    return list(entries.values())


def _is_foreign(variable: str, value: str) -> bool:
    if variable == CONFIG_VARIABLE or variable in _CLIENTS or _SERVICE_LINK.fullmatch(variable):
        return True
    return bool(_SERVICE_PORT.fullmatch(variable) and _SERVICE_PORT_VALUE.match(value))


def _entry(variable: str, value: str, names: list[str]) -> Entry:
    match variable.removeprefix(PREFIX).lower().split(DELIMITER):
        case ["providers", *rest, last] if (
            last in {"env", "file"} and (found := _profile_setting(rest)) and found[1] in SECRETS
        ):
            name, path = found
            setting: object = (
                Reference(variable=value) if last == "env" else Reference(file=Path(value))
            )
        case ["providers", *rest] if found := _profile_setting(rest):
            name, path = found
            setting = SecretStr(value) if path in SECRETS else value
        case ["callers", *_]:
            raise ValueError("sets nothing; callers are set in the file alone")
        case ["providers", *_]:
            raise ValueError("sets nothing; a name has the form BATCHGATE_PROVIDERS__NAME__SETTING")
        case keys:
            return Entry(tuple(keys), value, variable)
    # A profile's name may itself hold the delimiter.
    return Entry(("providers", _profile(DELIMITER.join(name), names), *path), setting, variable)


def _profile_setting(words: list[str]) -> tuple[list[str], tuple[str, ...]] | None:
    """The name of a profile and the path of a setting in it, if `words` has both."""
    match words:
        case [*name, "entra", field] if any(name) and field in EntraSettings.model_fields:
            return name, ("entra", field)
        case [*name, field] if any(name):
            return name, (field,)
        case _:
            return None


def _profile(name: str, names: Iterable[str]) -> str:
    """The profile that a variable means: shells allow no `-` and `.` in a variable's name."""
    alike = [known for known in names if _spelling(known) == _spelling(name)]
    if name in alike or not alike:
        return name
    if len(alike) > 1:
        raise ValueError(f"may mean any of the profiles {', '.join(alike)}; rename one of them")
    return alike[0]


def _spelling(name: str) -> str:
    return re.sub(r"[-.]", "_", name).lower()
