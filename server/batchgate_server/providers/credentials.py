"""How a provider knows the gateway: one class per kind of credential, each giving headers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr


class Credential(Protocol):
    """Gives the headers of the next request, and names what must never be shown."""

    def headers(self) -> Sequence[tuple[str, str]]:
        """The headers that prove who calls."""
        ...

    def secrets(self) -> Sequence[str]:
        """The secrets in those headers."""
        ...


@dataclass(frozen=True, slots=True)
class BearerCredential:
    """OpenAI's key, or an Entra token: `Authorization: Bearer`."""

    token: SecretStr

    def headers(self) -> Sequence[tuple[str, str]]:
        """The authorization header."""
        return [("authorization", f"Bearer {self.token.get_secret_value()}")]

    def secrets(self) -> Sequence[str]:
        """The token."""
        return [self.token.get_secret_value()]


@dataclass(frozen=True, slots=True)
class ApiKeyCredential:
    """Azure OpenAI's key: `api-key`."""

    key: SecretStr

    def headers(self) -> Sequence[tuple[str, str]]:
        """The key's header."""
        return [("api-key", self.key.get_secret_value())]

    def secrets(self) -> Sequence[str]:
        """The key."""
        return [self.key.get_secret_value()]
