"""A client's settings from `BATCHGATE_*` variables, which mean the same in the clients of all languages."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batchgate_client.connection import Tls

PREFIX = "BATCHGATE_"
ON, OFF = frozenset({"1", "true", "on"}), frozenset({"0", "false", "off"})
TLS_FILES = {"ca": "TLS_CA", "certificate": "TLS_CERT", "key": "TLS_KEY"}


def switch(name: str, source: Mapping[str, str]) -> bool | None:
    """Whether the variable `BATCHGATE_NAME` is on; None where it is unset or empty.

    Raises:
        ValueError: It says neither.
    """
    text = source.get(PREFIX + name, "")
    if not text:
        return None
    if text.lower() not in ON | OFF:
        message = f"{PREFIX}{name} is {text!r}: give 1, true or on, or 0, false or off"
        raise ValueError(message)
    return text.lower() in ON


def environment_settings(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A client's arguments from the variables; empty ones count as unset.

    `ADDRESS`, `PROVIDER`, `TOKEN` or `TOKEN_FILE`, `TLS_CA`, `TLS_CERT` and `TLS_KEY` for TLS by
    files, and `TLS` for TLS with the system's authorities.

    Raises:
        OSError: The file with the token cannot be read.
        ValueError: `TLS` says neither on nor off, or off beside a file that asks for TLS.
    """
    source = os.environ if environment is None else environment
    settings: dict[str, Any] = {
        name.lower(): text
        for name in ("ADDRESS", "PROVIDER", "TOKEN")
        if (text := source.get(PREFIX + name, ""))
    }
    token_file = source.get(f"{PREFIX}TOKEN_FILE", "")
    if token_file and "token" not in settings:
        settings["token"] = Path(token_file).read_text().strip()
    tls = switch("TLS", source)
    files = {
        one: text for one, name in TLS_FILES.items() if (text := source.get(PREFIX + name, ""))
    }
    if tls is False and files:
        raise ValueError(contradiction(PREFIX + TLS_FILES[next(iter(files))]))
    if tls or files:
        settings["tls"] = Tls(**files)
    return settings


def contradiction(file: str) -> str:
    """That TLS is off and wanted: plaintext by mistake would show the token."""
    return f"{PREFIX}TLS is off, and {file} asks for TLS: unset one of them"
