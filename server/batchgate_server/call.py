"""What is known of the RPC being served: filled on the way, read by the access log."""

from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from time import perf_counter

from batchgate_server.callers.allowance import Allowance, Kind
from batchgate_server.callers.caller import ANONYMOUS, Caller


@dataclass(slots=True)
class Call:
    """One RPC. Services and providers add what they learn; interceptors report it."""

    method: str
    request_id: str
    receives_stream: bool = False
    """Whether the caller sends a stream of messages."""
    started: float = field(default_factory=perf_counter)
    caller: Caller = ANONYMOUS
    deadline: float = inf
    """When the caller stops waiting, by the event loop's clock."""
    once: bool = False
    """Whether requests are not sent again after a failure: who calls has a pace of its own."""
    retries: int = 0
    """How often the provider was asked again."""
    kind: Kind = Kind.CALL
    allowances: tuple[Allowance, ...] = ()
    """What the call takes its bytes from."""
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

    def count_received(self, size: int) -> None:
        """Count file content that came from the caller.

        Raises:
            CallerLimit, GatewayOverloaded: it is too much for today.
        """
        self.received_bytes += size
        for allowance in self.allowances:
            allowance.spend(size)

    def count_sent(self, size: int) -> None:
        """Count file content that goes to the caller; raises as `count_received` does."""
        self.sent_bytes += size
        for allowance in self.allowances:
            allowance.spend(size)


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
