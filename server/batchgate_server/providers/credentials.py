"""How a provider knows who calls: one class per kind of credential."""

from collections.abc import Callable, Sequence

from pydantic import SecretStr

from batchgate_server.call import current_call
from batchgate_server.errors import CallerUnauthenticated
from batchgate_server.rest.credential import Proof
from batchgate_server.settings.secret_files import SecretSource

Header = tuple[str, str]
# What makes the header of a secret.
Form = Callable[[str], Header]


def bearer(token: str) -> Header:
    """OpenAI's key, or an Entra token."""
    return "authorization", f"Bearer {token}"


def api_key(key: str) -> Header:
    """Azure OpenAI's key."""
    return "api-key", key


class ConfiguredCredential:
    """A key of the configuration; where it is in a file, as the file has it now."""

    of_callers = False

    def __init__(self, secret: SecretStr, form: Form) -> None:
        self._source = SecretSource(secret)
        self._form = form
        self._secret = ""
        self._proof = Proof(())

    async def proof(self) -> Proof:
        """The key's header."""
        return self._of(self._source.current())

    async def refused(self, proof: Proof) -> Proof | None:
        """What the file has now, if that is another key."""
        newest = self._of(self._source.newest())
        return newest if newest.headers != proof.headers else None

    def secrets(self) -> Sequence[str]:
        """The key, and those it was before."""
        return self._source.known()

    async def aclose(self) -> None:
        """Holds nothing."""

    def _of(self, secret: str) -> Proof:
        # The same one as long as the key is: the client keeps the headers that belong to it.
        if secret != self._secret:
            self._secret, self._proof = secret, Proof((self._form(secret),))
        return self._proof


class CallerCredential:
    """The key that the caller has sent along, for this call alone."""

    of_callers = True

    def __init__(self, provider: str, form: Form) -> None:
        self._provider = provider
        self._form = form

    async def proof(self) -> Proof:
        """The header of the key in the call at hand."""
        key = current_call().provider_key
        if key is None:
            raise CallerUnauthenticated(
                f"{self._provider} is called with the caller's own key: send it as the metadata "
                "x-provider-key",
                metadata={"provider": self._provider},
            )
        return Proof((self._form(key.secret),), keep=False)

    async def refused(self, proof: Proof) -> Proof | None:  # noqa: ARG002 - a credential's parameter
        """The call has no other key."""
        return None

    def secrets(self) -> Sequence[str]:
        """The key in the call at hand."""
        key = current_call().provider_key
        return [key.secret] if key else []

    async def aclose(self) -> None:
        """Holds nothing."""
