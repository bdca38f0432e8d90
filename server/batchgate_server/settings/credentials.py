"""Secrets: references to where they are kept, and what they must look like to be sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from batchgate_server.settings.followed import Stamp, stamp

AnySecret = TypeVar("AnySecret", bound=SecretStr)

# Below a profile.
SECRET_FIELDS = ("api_key", "entra_token", "proxy_url")
SECRETS = frozenset({*((field,) for field in SECRET_FIELDS), ("entra", "client_secret")})
REFERENCE_FORMS = '{ env = "NAME" } or { file = "path" }'

# Visible ASCII: a secret is sent in an HTTP header, where a line break would begin another one.
_SENDABLE = re.compile(r"[!-~]+")
# Far beyond any key or token; keeps a wrong path such as /dev/zero from filling the memory.
_LONGEST_SECRET = 64 * 1024


class FileSecret(SecretStr):
    """A secret that was read from a file, and may be read again."""

    def __init__(self, value: str, *, path: Path, stamp: Stamp) -> None:
        super().__init__(value)
        self.path = path
        self.stamp = stamp
        """The file's state before it was read."""

    def __eq__(self, other: object) -> bool:
        """Whether it is the same secret in the same file."""
        return isinstance(other, FileSecret) and self.path == other.path and super().__eq__(other)

    def __hash__(self) -> int:
        """As that of a secret."""
        return super().__hash__()


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


def is_open_url(value: object) -> bool:
    """Whether it is a URL, or meant as one, that holds no user name and password."""
    return isinstance(value, str) and "@" not in value


def resolve(reference: Reference, environment: Mapping[str, str]) -> SecretStr:
    """The secret itself.

    Raises:
        ValueError: naming the variable or the file, never the value.
    """
    if reference.file is not None:
        return read_secret(reference.file)
    source = f"the environment variable {reference.variable}"
    found = environment.get(reference.variable or "")
    if found is None:
        raise ValueError(f"{source} is not set")
    return _checked(SecretStr(found), source)


def read_secret(path: Path) -> FileSecret:
    """The secret in a file.

    Raises:
        ValueError: naming the file, never the value.
    """
    # Before it is read: a change in between is then seen as one.
    seen = stamp(path)
    return _checked(FileSecret(_read(path), path=path, stamp=seen), f"the file {path}")


def _checked(secret: AnySecret, source: str) -> AnySecret:
    if not secret.get_secret_value():
        raise ValueError(f"{source} is empty")
    try:
        check_secret(secret)
    except ValueError as problem:
        raise ValueError(f"{source}: {problem}") from None
    return secret


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
