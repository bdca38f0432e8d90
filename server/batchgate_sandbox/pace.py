"""How fast the sandbox lives: the length of a batch's steps and of a file's processing."""

from dataclasses import dataclass
from typing import Literal, get_args

Speed = Literal["fast", "real"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Durations in seconds. A batch takes ``slices + 2`` steps from creation to its end."""

    step: float
    slices: int
    file_pending: float


_PACES: dict[str, Pace] = {
    "fast": Pace(step=0.15, slices=4, file_pending=0.15),
    "real": Pace(step=4.0, slices=12, file_pending=3.0),
}


def pace_of(speed: str, *, step: float | None = None) -> Pace:
    """The pace called ``speed``; with ``step``, that many seconds a step instead.

    Raises:
        ValueError: There is no such speed.
    """
    pace = _PACES.get(speed)
    if pace is None:
        raise ValueError(f"speed must be one of {', '.join(get_args(Speed))}, not {speed!r}")
    if step is None:
        return pace
    return Pace(step=step, slices=pace.slices, file_pending=min(step, pace.file_pending))
