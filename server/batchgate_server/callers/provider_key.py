"""A caller's own key for a provider: used for one call, and never kept or shown."""

import secrets
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """The key that came with a call."""

    secret: str = field(repr=False)

    @property
    def digest(self) -> str:
        """What tells keys apart in place of the key; of no use outside of this process."""
        return blake2b(self.secret.encode(), key=_pepper(), digest_size=16).hexdigest()


@cache
def _pepper() -> bytes:
    return secrets.token_bytes(32)
