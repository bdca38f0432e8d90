"""From the file, the environment and the command line to checked settings."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from batchgate_server.settings.checking import check
from batchgate_server.settings.credentials import SECRET_FIELDS, Reference, resolve
from batchgate_server.settings.document import Document, Entry, entries_of, is_secret
from batchgate_server.settings.file import read_file
from batchgate_server.settings.models import Settings
from batchgate_server.settings.provider_variables import read_provider_variables
from batchgate_server.settings.variables import CONFIG_VARIABLE, read_variables

# Stands in for a secret that could not be had, so that the rest is checked all the same.
_PLACEHOLDER = SecretStr("unresolved")


def load_settings(
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read and check the whole configuration.

    Args:
        config: the TOML file; else the one that `BATCHGATE_CONFIG` names, if any.
        environment: the environment variables; `os.environ` if None.
        overrides: nested values that win over file and environment, as from a command line;
            None means not given.

    Raises:
        ConfigurationError: with all problems that were found.
    """
    environment = os.environ if environment is None else environment
    document = Document()
    if config is None and environment.get(CONFIG_VARIABLE):
        config = Path(environment[CONFIG_VARIABLE])
    if config is not None:
        document.apply(read_file(config, document))
    document.apply(read_variables(environment, document))
    document.apply(_given(overrides or {}))
    if document.values.get("providers", {}) == {}:
        document.apply(read_provider_variables(environment, document))
    _resolve_secrets(document, environment)
    return check(document)


def _given(overrides: Mapping[str, object]) -> Iterator[Entry]:
    for entry in entries_of(overrides):
        if entry.value is None:
            continue
        if is_secret(entry.keys) and isinstance(entry.value, str):
            yield Entry(entry.keys, SecretStr(entry.value), entry.place)
        else:
            yield entry


def _resolve_secrets(document: Document, environment: Mapping[str, str]) -> None:
    for name, profile in document.profiles().items():
        if not isinstance(profile, dict):
            continue
        for field in [field for field in SECRET_FIELDS if field in profile]:
            value = profile[field]
            if value is None:
                profile[field] = _PLACEHOLDER  # Its reference is already a problem.
            elif isinstance(value, Reference):
                try:
                    profile[field] = resolve(value, environment)
                except ValueError as problem:
                    profile[field] = _PLACEHOLDER
                    document.report(("providers", name, field), str(problem))
