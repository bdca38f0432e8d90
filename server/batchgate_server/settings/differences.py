"""What differs between two configurations, told without their secrets."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import to_json, to_jsonable_python

from batchgate_server.settings.models import Settings
from batchgate_server.settings.problems import ConfigurationError, Problem

# What a server is made with: these, and all below them.
NEEDS_RESTART = (
    "listen",
    "tls",
    "admin",
    "server.workers",
    "server.max_message_bytes",
    "server.connection_age_seconds",
    "server.connection_age_grace_seconds",
    "server.keepalive_seconds",
    "server.keepalive_timeout_seconds",
    "server.max_connections",
    "server.max_calls_per_connection",
    "server.idle_connection_seconds",
    "server.handshake_timeout_seconds",
    "server.reflection",
)
# A value that is longer, as JSON, is cut off.
LONGEST_VALUE = 200

Kind = Literal["added", "removed", "changed"]
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs. `old` and `new` are as in JSON, and None where they are not shown."""

    setting: str
    """Its path, such as `watch.first_poll_seconds`."""
    kind: Kind
    old: object = None
    new: object = None
    needs_restart: bool = False

    def __str__(self) -> str:
        """In a few words."""
        if self.old is None and self.new is None:
            return f"{self.setting}: {self.kind}"
        if self.kind == "added":
            return f"{self.setting}: added, {word(self.new)}"
        if self.kind == "removed":
            return f"{self.setting}: removed, was {word(self.old)}"
        return f"{self.setting}: {word(self.old)} → {word(self.new)}"


def differences(old: Settings, new: Settings) -> list[Change]:
    """The settings that differ, in the order of the file.

    A secret, and what a model marks with `repr=False`, is only said to have changed. Of a profile or
    a caller that is new or gone only the name is told.
    """
    return list(_differences(old, new, ()))


def applied(old: Settings, new: Settings) -> Settings:
    """`new`, but with the old values of what needs a restart.

    Raises:
        ConfigurationError: the two do not go together.
    """
    values: dict[str, Any] = {name: getattr(new, name) for name in Settings.model_fields}
    for setting in NEEDS_RESTART:
        table, _, key = setting.partition(".")
        kept = getattr(old, table)
        values[table] = values[table].model_copy(update={key: getattr(kept, key)}) if key else kept
    try:
        return Settings.model_validate(values)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)
    # Raised here: pydantic's error, which would be shown with it, may repeat values.
    raise ConfigurationError(
        Problem(
            "listen" if detail["type"] == "exposed" else ".".join(map(str, detail["loc"])),
            f"{detail['msg']} (with the values of {', '.join(NEEDS_RESTART)} that count until a "
            "restart)",
        )
        for detail in details
    )


def _differences(old: object, new: object, path: tuple[str, ...]) -> Iterator[Change]:
    olds, news = parts(old), parts(new)
    if olds is None or news is None:
        if old != new:
            yield _change(path, old, new)
        return
    secrets = hidden(old) | hidden(new)
    for key in {**olds, **news}:
        before, after = olds.get(key, _MISSING), news.get(key, _MISSING)
        if key in secrets and before != after:
            yield _change((*path, key), SecretStr(""), SecretStr(""))
        elif before is _MISSING or after is _MISSING:
            yield _change((*path, key), before, after)
        else:
            yield from _differences(before, after, (*path, key))


def parts(value: object) -> Mapping[str, object] | None:
    """What is in a table, if it is one."""
    if isinstance(value, BaseModel):
        return {key: getattr(value, key) for key in type(value).model_fields}
    return value if isinstance(value, Mapping) else None


def hidden(value: object) -> set[str]:
    """The keys of a table whose values are not shown, though they may be no secrets."""
    if not isinstance(value, BaseModel):
        return set()
    return {key for key, field in type(value).model_fields.items() if not field.repr}


def _change(path: tuple[str, ...], old: object, new: object) -> Change:
    setting = ".".join(path)
    kind: Kind = "added" if old is _MISSING else "removed" if new is _MISSING else "changed"
    visible = all(map(showable, (old, new)))
    return Change(
        setting,
        kind,
        shown(old) if visible else None,
        shown(new) if visible else None,
        needs_restart=any(f"{setting}.".startswith(f"{one}.") for one in NEEDS_RESTART),
    )


def showable(value: object) -> bool:
    """Whether a value is none of several, and no secret."""
    if isinstance(value, SecretStr | BaseModel | Mapping):
        return False
    if isinstance(value, Iterable) and not isinstance(value, str):
        return all(map(showable, value))
    return True


def shown(value: object) -> object:
    """A showable value as in JSON, cut off where it is long."""
    if value is _MISSING:
        return None
    if isinstance(value, frozenset):
        value = sorted(value)
    plain: object = to_jsonable_python(value, fallback=str)
    text = word(plain)
    return plain if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def word(value: object) -> str:
    """JSON."""
    return to_json(value).decode()
