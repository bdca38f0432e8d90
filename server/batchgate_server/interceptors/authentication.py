"""Who calls: nobody gets further without being known."""

from collections.abc import Mapping
from typing import Any

from batchgate_server.call import Call
from batchgate_server.callers.caller import Caller
from batchgate_server.callers.certificates import alternative_names
from batchgate_server.callers.directory import Credential, Directory
from batchgate_server.callers.origin import origin
from batchgate_server.errors import CallerUnauthenticated
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.settings import CallerSettings

# As whom all wait who are not known, wherever they come from; no caller can have that name.
UNKNOWN = "?"


class Authentication:
    """A concern that finds the caller by what the call shows."""

    def __init__(self, callers: Mapping[str, CallerSettings]) -> None:
        self._directory = Directory(callers)

    def is_known(self, caller: Caller) -> bool:
        """Whether there is a caller of this name now."""
        return self._directory.named(caller.name) is not None

    def successor(self, call: Call) -> Caller | None:
        """The caller of a call as it is configured now, if what it has shown still stands for it."""
        caller = self._directory.holder(call.credential)
        return caller if caller and caller.name == call.caller.name else None

    def replace(self, callers: Mapping[str, CallerSettings]) -> None:
        """Know these callers from now on; calls that run go on."""
        self._directory = Directory(callers)

    def who(self, context: Context) -> str:
        """As whom a call waits for its turn: its caller, or where it comes from."""
        try:
            return self._identified(context)[0].name or origin(context.peer())
        except CallerUnauthenticated:
            return UNKNOWN

    async def __call__(self, call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
        """Sets `call.caller`, or refuses."""
        call.caller, call.credential = self._identified(context)
        return await proceed()

    def _identified(self, context: Context) -> tuple[Caller, Credential]:
        return self._directory.identify(
            context.invocation_metadata() or (), lambda: alternative_names(context.auth_context())
        )
