"""What callers share: places that none of them may take all of, and queues that serve them in turns."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)
# Of fewer places none is kept for others: a call may need two.
FEW_PLACES = 2
# Eight of ten are four fifths, also where the two are a little off as floating numbers.
ROUNDING = 1e-9


class Sharer(NamedTuple):
    """One of those who share."""

    name: str
    """Of a caller, or where it comes from if it has none."""
    part: float
    """What it may take of anything while nobody else wants some: more than 0, and 1 at most."""


NOBODY = Sharer("", 1.0)
"""The gateway itself."""


class Places(Generic[Key]):
    """So many places, and who holds how many.

    Whoever holds none may take any that is free. Whoever holds some may take another one only while
    it holds less than a multiple of what is free, so that alone it comes to its `part` of all, two
    that want much come to equal parts, and so on; and some stay free for whoever comes next.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        """How many there are; None: no end of them."""
        self.taken = 0
        """How many are held."""
        self._held: Counter[Key] = Counter()

    def is_full(self, reserve: int = 0) -> bool:
        """Whether no place is free, or none but the `reserve`."""
        return self.limit is not None and self.taken >= self.limit - reserve

    def may_take(self, who: Key, part: float, *, reserve: int = 0) -> bool:
        """Whether one may take one of those that are free, but for the `reserve`."""
        if self.limit is None:
            return True
        free = self.limit - reserve - self.taken
        held = self._held.get(who, 0)
        if free <= 0 or not held or part >= 1:
            return free > 0
        enough = held * (1 - part) > free * part - ROUNDING
        return not enough and (free > 1 or self.limit <= FEW_PLACES)

    def take(self, who: Key) -> None:
        """Hold one more."""
        self.taken += 1
        self._held[who] += 1

    def give_back(self, who: Key) -> None:
        """Hold one less."""
        self.taken -= 1
        self._held[who] -= 1
        if not self._held[who]:
            del self._held[who]


class FairQueue(Generic[Key]):
    """Those who wait: in a line of its own for each caller, and the lines take turns."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Key, deque[asyncio.Future[None]]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        """How many wait, or have gone since."""
        return self._length

    @property
    def lines(self) -> int:
        """How many callers wait."""
        return len(self._lines)

    def waiting(self, who: Key) -> int:
        """How many of one caller's wait."""
        return len(self._lines.get(who, ()))

    def join(self, who: Key) -> asyncio.Future[None]:
        """Wait at the end of one's own line; the future is done when one is served."""
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(who, deque()).append(turn)
        self._length += 1
        return turn

    def leave(self, who: Key, turn: asyncio.Future[None]) -> None:
        """Wait no more."""
        line = self._lines.get(who)
        if line and turn in line:
            line.remove(turn)
            self._length -= 1
            if not line:
                del self._lines[who]

    def serve(self, may: Callable[[Key], bool] | None = None) -> Key | None:
        """Serve the first of the next caller, of those who `may`; who that was."""
        while True:
            who = next((one for one in self._lines if may is None or may(one)), None)
            if who is None or self._serve(who):
                return who

    def _serve(self, who: Key) -> bool:
        line = self._lines[who]
        served = False
        while line and not served:
            turn = line.popleft()
            self._length -= 1
            # Its caller may have gone.
            if served := not turn.done():
                turn.set_result(None)
        if line:
            self._lines.move_to_end(who)
        else:
            del self._lines[who]
        return served
