"""What is known of the RPC being served: filled on the way, read by the access log."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from time import perf_counter

from batchgate_server.callers.allowance import Allowance, Kind
from batchgate_server.callers.caller import ANONYMOUS, Caller
from batchgate_server.callers.directory import Credential
from batchgate_server.callers.provider_key import ProviderKey
from batchgate_server.errors import GatewayError
from batchgate_server.fairness import NOBODY, Sharer


@dataclass(slots=True)
class Call:
    """One RPC. Services and providers add what they learn; interceptors report it."""

    method: str
    request_id: str
    receives_stream: bool = False
    """Whether the caller sends a stream of messages."""
    sends_stream: bool = False
    """Whether the caller gets a stream of messages."""
    started: float = field(default_factory=perf_counter)
    caller: Caller = ANONYMOUS
    credential: Credential = field(default=None, repr=False)
    """By what the caller is known."""
    sharer: Sharer = NOBODY
    """As whom the call shares connections, places and queues with others."""
    provider_key: ProviderKey | None = None
    """The caller's own key, for profiles with `caller_credentials`."""
    begun: float = 0.0
    """When it began, by the event loop's clock."""
    waiting_since: float = inf
    """Since when the call waits for its caller to send or to read, by that clock; infinite if not."""
    default_deadline: float = inf
    """When the gateway ends the call, since its caller named no end."""
    deadline: float = inf
    """When the caller stops waiting, by the event loop's clock."""
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
    received_lines: int = 0
    """Lines of a batch that came from the caller and were looked at."""
    sent_lines: int = 0
    """Rows of results that went to the caller."""
    endless: bool = False
    """Whether the call just watches now, so that a shutdown has nothing to wait for."""
    cut_off: GatewayError | None = None
    """Why the gateway itself ended the call, if it did."""
    creating: str = ""
    """What may exist at the provider by now, such as "batch": a repeat could make another one."""
    request: object = field(default=None, repr=False)
    """What the caller asked, once it is read; None for a stream. Has contents, so it is shown nowhere."""
    ids: dict[str, str] = field(default_factory=dict)
    """What came to be or went at the provider, such as `created_batch_id`; added by `note_id`."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What is done when the call is over, however it ends."""
    noted_late: Callable[["Call"], None] | None = None
    """Told of an id that comes when the call is over: what was begun goes on without its caller."""
    behind: int = 0
    """How many pieces of its work go on by themselves, perhaps after its end."""
    ended: bool = False
    trace: object = field(default=None, repr=False)
    """What a tracer keeps of it."""
    trace_id: str = ""
    """The trace that it belongs to, if there is one."""
    told: Callable[["Call", str, Mapping[str, str | float]], None] | None = None
    """Hears what happens while the call goes on."""

    def tell(self, event: str, **values: str | float) -> None:
        """Something has happened that a trace should have; values are of no caller's content."""
        if self.told:
            self.told(self, event, values)

    def note_id(self, name: str, provider_id: str) -> None:
        """Remember what this call has made or removed at the provider."""
        self.ids[name] = provider_id
        if self.noted_late:
            self.noted_late(self)

    def end(self) -> None:
        """The call is over: let go of what it used; what goes on without it is not tried again."""
        self.deadline = -inf
        while self.at_end:
            self.at_end.pop()()
        self.ended = True
        self.forget()

    def count_received(self, size: int) -> None:
        """Count file content that came from the caller; raises as `spend` does."""
        self.received_bytes += size
        self.spend(size)

    def count_sent(self, size: int) -> None:
        """Count file content that goes to the caller; it was spent as it was read."""
        self.sent_bytes += size

    def spend(self, size: int) -> None:
        """Take bytes of files that are moved for the caller from what it may use today.

        These are the bytes that come from it, those that are read at the provider for it, and
        those that are copied there.

        Raises:
            CallerLimit, GatewayOverloaded: they are too many.
        """
        for allowance in self.allowances:
            allowance.spend(size)

    @contextmanager
    def holding(self, kind: Kind) -> Iterator[None]:
        """Count a part of this call as one of another kind, too.

        Raises:
            CallerLimit, GatewayOverloaded: there is no room for it.
        """
        with ExitStack() as places:
            for allowance in self.allowances:
                places.enter_context(allowance.holding(kind, self.sharer))
            yield

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


def current_trace_id() -> str:
    """The trace of the RPC that this task serves; empty without one."""
    call = _current.get(None)
    return call.trace_id if call else ""


def enter_call(call: Call) -> None:
    """Make `call` the current one of this task: each RPC is served by a task of its own."""
    _current.set(call)
