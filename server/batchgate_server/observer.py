"""What the gateway tells of its work while it does it, to who counts or traces it.

Nobody does unless that is configured; then it is told to an `Observer` that does nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar, Protocol, TypeAlias

import structlog
from grpc import StatusCode
from typing_extensions import override

from batchgate_server.call import Call
from batchgate_server.errors import GatewayError

FIRST_ERROR_STATUS = 400
log = structlog.stdlib.get_logger()


@dataclass(slots=True, eq=False)
class Exchange:
    """One request to a provider, until its answer is known."""

    provider: str
    """The profile's name."""
    method: str
    path: str
    """Below the API's base, with the ids of what is asked for."""
    began: float = field(default_factory=perf_counter)
    status: int = 0
    """The HTTP status, once there is one."""
    error: GatewayError | None = None
    """What came of it, unless it went well."""
    span: object = None
    """What a tracer keeps of it."""

    def outcome(self) -> str:
        """The HTTP status; the error's reason where it was none; "cancelled" where nobody waits."""
        if self.status >= FIRST_ERROR_STATUS:
            return str(self.status)
        if self.error is not None:
            return self.error.reason
        return str(self.status) if self.status else "cancelled"


class Usage(Protocol):
    """The tokens of a batch, as far as they are known."""

    @property
    def input_tokens(self) -> int | None:
        """Those that were read, from a cache too."""

    @property
    def output_tokens(self) -> int | None:
        """Those that were written, in thoughts too."""


class Batch(Protocol):
    """A batch as a provider tells of it."""

    @property
    def id(self) -> str:
        """The provider's id."""

    @property
    def status(self) -> str:
        """The provider's word."""

    @property
    def model(self) -> str:
        """The model, if it is told."""

    @property
    def usage(self) -> Usage | None:
        """The tokens, if they are told."""


Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


class Observer:
    """Is told what happens. This one does nothing with it."""

    name: ClassVar[str] = ""

    def call_began(self, call: Call, metadata: Metadata) -> None:
        """An RPC was let in, with that metadata."""

    def call_ended(
        self, call: Call, code: StatusCode, reason: str, *, error: BaseException | None
    ) -> None:
        """An RPC is over, with that status and that reason."""

    def happened(self, call: Call, event: str, values: Mapping[str, str | float]) -> None:
        """Something that a trace should have has happened in an RPC."""

    def exchange_began(self, exchange: Exchange) -> None:
        """A request goes to a provider."""

    def exchange_ended(self, exchange: Exchange) -> None:
        """Its answer is known, or that there is none."""

    def batch_watched(self, provider: str, batch_id: str, *, caller: str) -> None:
        """A caller watches a batch."""

    def batch_seen(self, provider: str, batch: Batch, *, caller: str) -> None:
        """A provider told of a batch that this caller asked for; "" if it is nobody's in particular."""

    def polled(self, provider: str, *, kind: str, error: GatewayError | None) -> None:
        """Watched batches were looked at, by a "list" or one by a "get"."""


SILENT = Observer()
"""Does nothing."""


class Observers(Observer):
    """Tells several of all. A defect of one of them is told once, counted, and of no other's concern."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._logged: set[tuple[str, str, type[Exception]]] = set()
        self.failures: Counter[tuple[str, ...]] = Counter({(one.name,): 0 for one in observers})
        """How often each has failed, by its name."""

    @override
    def call_began(self, call: Call, metadata: Metadata) -> None:
        self._tell("call_began", call, metadata)
        call.told = self.happened

    @override
    def call_ended(
        self, call: Call, code: StatusCode, reason: str, *, error: BaseException | None
    ) -> None:
        self._tell("call_ended", call, code, reason, error=error)

    @override
    def happened(self, call: Call, event: str, values: Mapping[str, str | float]) -> None:
        self._tell("happened", call, event, values)

    @override
    def exchange_began(self, exchange: Exchange) -> None:
        self._tell("exchange_began", exchange)

    @override
    def exchange_ended(self, exchange: Exchange) -> None:
        self._tell("exchange_ended", exchange)

    @override
    def batch_watched(self, provider: str, batch_id: str, *, caller: str) -> None:
        self._tell("batch_watched", provider, batch_id, caller=caller)

    @override
    def batch_seen(self, provider: str, batch: Batch, *, caller: str) -> None:
        self._tell("batch_seen", provider, batch, caller=caller)

    @override
    def polled(self, provider: str, *, kind: str, error: GatewayError | None) -> None:
        self._tell("polled", provider, kind=kind, error=error)

    def _tell(self, what: str, *args: Any, **named: Any) -> None:  # noqa: ANN401 - any observation
        for one in self._observers:
            try:
                getattr(one, what)(*args, **named)
            except Exception as exc:  # noqa: BLE001 - nothing that is observed depends on it
                self._failed(one, what, exc)

    def _failed(self, one: Observer, what: str, exc: Exception) -> None:
        self.failures[one.name,] += 1
        kind = (one.name, what, type(exc))
        if kind not in self._logged:
            self._logged.add(kind)
            log.error("internal error", method=f"{one.name}.{what}", exc_info=exc)
