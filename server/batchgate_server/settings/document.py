"""The configuration before it is checked: values of several layers, each with its place."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from batchgate_server.settings.credentials import SECRETS
from batchgate_server.settings.problems import Problem

PREFIX = "BATCHGATE_"
DELIMITER = "__"
PROFILE_FILES = frozenset({"ca_file", "client_certificate_file", "client_key_file"})

Keys = tuple[str, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value, its path in the document, and where somebody wrote it."""

    keys: Keys
    value: object
    place: str


@dataclass(slots=True)
class Document:
    """Nested values with the place of each, and the problems found so far."""

    values: dict[str, object] = field(default_factory=dict)
    places: dict[Keys, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def apply(self, entries: Iterable[Entry]) -> None:
        """Put a layer on top: its values replace those of the layers below."""
        for entry in entries:
            table = self._table(entry.keys[:-1])
            if table is None:
                message = f"{toml_path(entry.keys[:-1])} holds a value, not further settings"
                self.problems.append(Problem(entry.place, message))
                continue
            last = entry.keys[-1]
            if entry.value == {} and isinstance(table.get(last), dict):
                continue  # An empty table takes nothing away.
            table[last] = entry.value
            self.places[entry.keys] = entry.place

    def profiles(self) -> dict[str, object]:
        """The values of `providers`, if it is a table."""
        providers = self.values.get("providers")
        return providers if isinstance(providers, dict) else {}

    def report(self, keys: Keys, message: str) -> None:
        """Remember a problem with the value at `keys`, there or missing."""
        self.problems.append(Problem(self.place(keys), message))

    def place(self, keys: Keys) -> str:
        """Where the value at `keys` was written, or where it ought to be."""
        if keys in self.places:
            return self.places[keys]
        below = [place for known, place in self.places.items() if known[: len(keys)] == keys]
        above = keys[:-1]
        beside = [
            place for known, place in self.places.items() if above and known[: len(above)] == above
        ]
        if _are_variables(below or beside):
            return variable_name(keys)
        return toml_path(keys)

    def _table(self, keys: Keys) -> dict[str, object] | None:
        table = self.values
        for key in keys:
            inner = table.setdefault(key, {})
            if not isinstance(inner, dict):
                return None
            table = inner
        return table


def entries_of(values: Mapping[str, object], above: Keys = ()) -> Iterator[Entry]:
    """The values of nested tables one by one, in order. A secret's reference stays whole."""
    for key, value in values.items():
        keys = (*above, key)
        if isinstance(value, Mapping) and value and not is_secret(keys):
            yield from entries_of(value, keys)
        else:
            yield Entry(keys, value, toml_path(keys))


def is_secret(keys: Keys) -> bool:
    """Whether the value at `keys` is a provider's secret."""
    match keys:
        case ("providers", _, *path):
            return tuple(path) in SECRETS
        case _:
            return False


def is_file(keys: Keys) -> bool:
    """Whether the value at `keys` is the path of a file."""
    match keys:
        case ("tls", field):
            return field.endswith("_file")
        case ("providers", _, field):
            return field in PROFILE_FILES
        case ("providers", _, "entra", field):
            return field == "token_file"
        case _:
            return False


def toml_path(keys: Keys) -> str:
    """The path as one would write it in TOML."""
    return ".".join(key if _BARE_KEY.fullmatch(key) else _quoted(key) for key in keys)


def variable_name(keys: Keys) -> str:
    """The environment variable that sets the value at `keys`."""
    return PREFIX + DELIMITER.join(re.sub(r"[-.]", "_", key).upper() for key in keys)


def _are_variables(places: list[str]) -> bool:
    return bool(places) and all(place.startswith(PREFIX) for place in places)


def _quoted(key: str) -> str:
    return '"' + key.encode("unicode_escape").decode().replace('"', '\\"') + '"'
