"""The TOML file."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from batchgate_server.settings.credentials import is_open_url, parse_reference
from batchgate_server.settings.document import Document, Entry, entries_of, is_file, is_secret
from batchgate_server.settings.problems import ConfigurationError, Problem

# Where tomllib says that a mistake is; structured attributes exist only since Python 3.14.
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def read_file(path: Path, document: Document) -> list[Entry]:
    """The file's values; misplaced secrets are added to the document's problems.

    Raises:
        ConfigurationError: if there are no values to go on with.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise _unusable(path, f"the configuration file cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        message = f"the configuration file is not UTF-8 text (byte {exc.start})"
        raise _unusable(path, message) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise _syntax_error(path, text, str(exc)) from None
    return list(_resolved(values, path.parent, document))


def _resolved(values: dict[str, object], directory: Path, document: Document) -> Iterator[Entry]:
    for entry in entries_of(values):
        if is_file(entry.keys) and isinstance(entry.value, str) and entry.value:
            yield Entry(entry.keys, str(directory / entry.value), entry.place)
            continue
        if not is_secret(entry.keys):
            yield entry
            continue
        if entry.keys[-1] == "proxy_url" and is_open_url(entry.value):
            yield Entry(entry.keys, SecretStr(str(entry.value)), entry.place)
            continue
        try:
            reference = parse_reference(entry.value, directory=directory)
        except ValueError as problem:
            document.problems.append(Problem(entry.place, str(problem)))
            yield Entry(entry.keys, None, entry.place)
        else:
            yield Entry(entry.keys, reference, entry.place)


def _unusable(place: object, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(place), message)])


def _syntax_error(path: Path, text: str, message: str) -> ConfigurationError:
    found = _POSITION.search(message)
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    what = _POSITION.sub("", message)
    return _unusable(f"{path}, line {line}, column {column}", f"not valid TOML: {what}")
