"""How requests prove who sends them: what the client asks of a credential."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Proof:
    """The headers that prove who calls."""

    headers: Sequence[tuple[str, str]]
    keep: bool = True
    """Whether requests of other calls have the same: if not, nothing is kept of it."""

    def __repr__(self) -> str:
        """Without the secret."""
        return "Proof()"


class Credential(Protocol):
    """Gives the proof for each request, and learns when it was refused."""

    of_callers: bool
    """Whether it is each caller's own, so that a refusal says nothing of the gateway."""

    async def proof(self) -> Proof:
        """The proof for a request that is sent now: at once, but where it has to be fetched first.

        Raises:
            GatewayError: there is none; nothing was sent.
        """
        ...

    async def refused(self, proof: Proof) -> Proof | None:
        """Take note of a 401 to `proof`; another one, if there is now, with which to try again.

        Raises:
            GatewayError: another one is needed and cannot be had.
        """
        ...

    def secrets(self) -> Sequence[str]:
        """What must be taken out of texts that come from outside, such as the provider's errors."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...
