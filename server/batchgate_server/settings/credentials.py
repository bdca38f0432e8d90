"""Secrets: references to where they are kept, and what they must look like to be sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

SECRET_FIELDS = ("api_key", "entra_token")
REFERENCE_FORMS = '{ env = "NAME" } or { file = "path" }'

# Visible ASCII: a secret is sent in an HTTP header, where a line break would begin another one.
_SENDABLE = re.compile(r"[!-~]+")
# Far beyond any key or token; keeps a wrong path such as /dev/zero from filling the memory.
_LONGEST_SECRET = 64 * 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept: in the environment variable, or in the file."""

    variable: str | None = None
    file: Path | None = None


def parse_reference(value: object, *, directory: Path) -> Reference:
    """The reference in a configuration file; a relative path starts at the file's `directory`.

    Raises:
        ValueError: with a message that does not repeat the value, since that may be the secret.
    """
    match value:
        case {"env": str(name), **others} if name and not others:
            return Reference(variable=name)
        case {"file": str(path), **others} if path and "\0" not in path and not others:
            return Reference(file=directory / path)
        case str():
            raise ValueError(
                f"must be a reference: {REFERENCE_FORMS}; a secret itself must not stand in the file"
            )
        case _:
            raise ValueError(f"must be a reference: {REFERENCE_FORMS}")


def resolve(reference: Reference, environment: Mapping[str, str]) -> SecretStr:
    """The secret itself.

    Raises:
        ValueError: naming the variable or the file, never the value.
    """
    if reference.file is not None:
        text, source = _read(reference.file), f"the file {reference.file}"
    else:
        source = f"the environment variable {reference.variable}"
        found = environment.get(reference.variable or "")
        if found is None:
            raise ValueError(f"{source} is not set")
        text = found
    if not text:
        raise ValueError(f"{source} is empty")
    try:
        return check_secret(SecretStr(text))
    except ValueError as problem:
        raise ValueError(f"{source}: {problem}") from None


def check_secret(secret: SecretStr) -> SecretStr:
    """The secret, if it can be sent in an HTTP header.

    Raises:
        ValueError: without the value.
    """
    text = secret.get_secret_value()
    if not text:
        raise ValueError("the secret is empty")
    if not _SENDABLE.fullmatch(text):
        raise ValueError(
            "the secret must be visible ASCII without spaces, line breaks or control characters "
            '(only the key itself, without "Bearer ")'
        )
    return secret


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_SECRET + 1)
    except OSError as exc:
        raise ValueError(f"the file {path} cannot be read: {exc.strerror}") from exc
    if len(content) > _LONGEST_SECRET:
        raise ValueError(f"the file {path} is larger than {_LONGEST_SECRET} bytes")
    # Any byte becomes some character here; check_secret refuses those that cannot be sent.
    return content.decode("latin-1").rstrip("\r\n")
