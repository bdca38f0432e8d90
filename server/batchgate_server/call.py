"""What is known of the RPC being served: filled on the way, read by the access log."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter

from batchgate_server.callers.caller import ANONYMOUS, Caller
from batchgate_server.callers.provider_key import ProviderKey


@dataclass(slots=True)
class Call:
    """One RPC. Services and providers add what they learn; interceptors report it."""

    method: str
    request_id: str
    started: float = field(default_factory=perf_counter)
    caller: Caller = ANONYMOUS
    provider_key: ProviderKey | None = None
    """The caller's own key, for profiles with `caller_credentials`."""
    provider: str = ""
    provider_request_id: str = ""
    received_bytes: int = 0
    """File content that came from the caller."""
    sent_bytes: int = 0
    """File content that went to the caller."""
    endless: bool = False
    """Whether the call just watches now, so that a shutdown has nothing to wait for."""
    cut_off: bool = False
    """Whether the gateway itself ended the call, since it is shutting down."""
    creating: str = ""
    """What may exist at the provider by now, such as "batch": a repeat could make another one."""

    behind: int = 0
    """How many pieces of its work go on by themselves, perhaps after its end."""
    ended: bool = False

    @property
    def account(self) -> str:
        """Whose account at the provider it is: "" for the gateway's own.

        What is shared between calls is shared within one account only.
        """
        return self.provider_key.digest if self.provider_key else ""

    def forget(self) -> None:
        """Let go of the caller's key once nothing needs it: timers and the like may keep the call."""
        if self.ended and not self.behind:
            self.provider_key = None


_current: ContextVar[Call] = ContextVar("call")


def current_call() -> Call:
    """The RPC being served by this task; a blank one outside of any."""
    try:
        return _current.get()
    except LookupError:
        return Call(method="", request_id="")


def enter_call(call: Call) -> None:
    """Make `call` the current one of this task: each RPC is served by a task of its own."""
    _current.set(call)
