"""A whole configuration as it may be shown: each setting, and of secrets only that they are set."""

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from batchgate_server.settings.differences import hidden, parts, showable, shown, word
from batchgate_server.settings.models import Settings

SECRET = "(set, not shown)"  # noqa: S105 - stands for one


def shown_settings(settings: Settings) -> list[tuple[str, str]]:
    """Paths and values, as JSON, in the order of the file; what is unset is left out."""
    return list(_shown(settings, ()))


def _shown(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    tables = parts(value)
    if tables is None:
        yield ".".join(path), word(shown(value)) if showable(value) else SECRET
        return
    secrets = hidden(value)
    for key, one in tables.items():
        if key in secrets and one:
            yield ".".join((*path, key)), SECRET
        elif one is not None and not (isinstance(value, BaseModel) and key == "name"):
            if isinstance(one, Mapping) and not one:
                continue
            yield from _shown(one, (*path, key))
