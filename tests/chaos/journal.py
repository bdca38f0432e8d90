"""What callers did and saw: each call with its end, each reading with its rows."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

DETAILS = "grpc-status-details-bin"
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"


@dataclass(frozen=True)
class End:
    """How a call ended: by the gateway's word if there is a reason, else by gRPC's own."""

    code: str
    reason: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return self.code == "OK"

    @property
    def settled(self) -> bool:
        """Whether the caller knows what was done: all if it went well, nothing if not."""
        return self.ok or self.reason not in {"", OUTCOME_UNKNOWN}

    def __str__(self) -> str:
        return f"{self.code}/{self.reason}" if self.reason else self.code


def end_of(error: Any) -> End:
    """The end that an exception of gRPC's tells."""
    status = dict(error.trailing_metadata() or ()).get(DETAILS)
    reason = ""
    if status:
        info = ErrorInfo()
        details = Status.FromString(status).details
        if any(one.Unpack(info) for one in details):
            reason = info.reason
    return End(error.code().name, reason, error.details() or "")


@dataclass
class Attempt:
    """One call. Those that create know what they would leave at the provider."""

    kind: str
    number: int
    deadline: float
    begun: float
    operation: int = 0
    """The number of the operation; repeated attempts are of one."""
    request_id: str = ""
    filename: str = ""
    """The name that its file would have."""
    size: int = 0
    sha256: str = ""
    whole: bool = True
    """Whether the caller has handed over all of it, its end included."""
    cancelled: bool = False
    """By the caller."""
    end: End = field(default_factory=lambda: End("NONE"))
    lasted: float = 0.0
    file_id: str = ""
    batch_id: str = ""
    life: int = 0
    """Which of the provider's lives it fell into; 0 if into two."""

    @property
    def request_id_of_call(self) -> str:
        """By which the gateway's log knows it."""
        return f"attempt-{self.number}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with the call."""
        return (("x-request-id", self.request_id_of_call),)


@dataclass
class Reading:
    """Rows or bytes read from a batch or a file to the end, through any number of breaks."""

    what: str
    expected: Counter[str]
    seen: Counter[str] = field(default_factory=Counter)
    complete: bool = False
    partial: bool = False
    """Whether fewer than expected are right: the batch was cancelled."""
    breaks: int = 0


class Journal:
    """All that callers did, written by many threads."""

    def __init__(
        self, *, numbers: Iterator[int] | None = None, provider_lives: Callable[[], int] = lambda: 1
    ) -> None:
        self.provider_lives = provider_lives
        self.attempts: list[Attempt] = []
        self.readings: list[Reading] = []
        self.watches: list[str] = []
        """The last status of each watch that ended with OK."""
        self.abandoned: list[str] = []
        """Operations that did not come to a good end although all was well again."""
        self.surprises: list[str] = []
        """What a caller saw that cannot be: told in words."""
        self.deleted: set[str] = set()
        """Ids of files that a caller has asked to be deleted."""
        self._numbers = numbers or itertools.count(1)
        self._lock = threading.Lock()

    def number(self) -> int:
        """A number that nothing else has."""
        with self._lock:
            return next(self._numbers)

    def begin(self, kind: str, *, deadline: float, **known: Any) -> Attempt:
        """A call that begins now."""
        attempt = Attempt(
            kind=kind,
            number=self.number(),
            deadline=deadline,
            begun=time.monotonic(),
            life=self.provider_lives(),
            **known,
        )
        self.attempts.append(attempt)
        return attempt

    def over(self, attempt: Attempt, end: End) -> None:
        """The call ended now."""
        attempt.end = end
        if attempt.life != self.provider_lives():
            attempt.life = 0
        attempt.lasted = time.monotonic() - attempt.begun

    def ends(self) -> Counter[str]:
        """How often calls ended how."""
        return Counter(str(attempt.end) for attempt in self.attempts)
