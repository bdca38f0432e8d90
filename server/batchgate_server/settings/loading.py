"""From the file, the environment and the command line to checked settings."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from batchgate_server.settings.checking import check
from batchgate_server.settings.credentials import SECRETS, Reference, resolve
from batchgate_server.settings.document import Document, Entry, entries_of, is_secret
from batchgate_server.settings.entra import WORKLOAD_VARIABLES
from batchgate_server.settings.file import read_file
from batchgate_server.settings.models import Settings
from batchgate_server.settings.provider_variables import read_provider_variables
from batchgate_server.settings.variables import CONFIG_VARIABLE, read_variables

# Stands in for a secret that could not be had, so that the rest is checked all the same.
_PLACEHOLDER = SecretStr("unresolved")
_PLACEHOLDERS = {"proxy_url": SecretStr("http://unresolved")}


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
    _fill_in_workload_identity(document, environment)
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
        for *above, field in SECRETS:
            table = _inner(profile, above)
            if table is None or field not in table:
                continue
            value = table[field]
            if value is None:
                table[field] = _PLACEHOLDERS.get(
                    field, _PLACEHOLDER
                )  # Its reference is already a problem.
            elif isinstance(value, Reference):
                try:
                    table[field] = resolve(value, environment)
                except ValueError as problem:
                    table[field] = _PLACEHOLDERS.get(field, _PLACEHOLDER)
                    document.report(("providers", name, *above, field), str(problem))


def _fill_in_workload_identity(document: Document, environment: Mapping[str, str]) -> None:
    """What Azure's webhook has put into the environment of a pod."""
    for name, profile in document.profiles().items():
        entra = _inner(profile, ["entra"])
        if entra is None or entra.get("method") != "workload_identity":
            continue
        for field, variable in WORKLOAD_VARIABLES.items():
            if field not in entra and environment.get(variable):
                entra[field] = environment[variable]
                document.places["providers", name, "entra", field] = variable


def _inner(table: object, keys: Iterable[str]) -> dict[str, object] | None:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None
