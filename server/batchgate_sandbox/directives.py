"""What a line can ask of the sandbox's model, beside an ordinary answer.

In a line's body, under the key ``sandbox`` (no real provider knows it):

- ``{"fail": 429}``: the line's HTTP answer has that status; it goes to the error file with
  ``error: null``.
- ``{"fail": 500, "times": 1}``: so only the first time that this account sends a line with this
  custom_id; a later attempt succeeds. ``times`` also goes with ``error``.
- ``{"error": "batch_expired"}``: no HTTP answer; ``response: null`` and that error code.
- ``{"reply": "text"}``: what the model says instead of echoing.
- ``{"reply_length": 25000000}``: the answer is repeated, each time after its number, until it has
  that many characters (100 million at most): a result as large as those with images are.
- ``{"batch": "expire"}``: the batch expires when it comes to this line: this line and all after
  it are answered with ``batch_expired``, those before it were answered as usual.
- ``{"batch": "stall"}``: the batch waits at this line until it is cancelled.

Where the body cannot be touched, the same is said by the model's name, for every line of the
file: ``sandbox-fail-429``, ``sandbox-fail-500-times-1``, ``sandbox-error-batch_expired``.
The model ``no-such-model`` does not exist: the batch fails with ``model_not_found``.

For a whole batch there is the metadata key ``sandbox_outcome``: ``expired`` and ``stalled`` act
at half of the lines, ``failed`` fails the validation, ``token_limit_exceeded`` is refused at
creation by Azure and fails the validation at OpenAI.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

MISSING_MODEL = "no-such-model"

_MODEL = re.compile(
    r"sandbox-(?:fail-(?P<fail>[1-5]\d\d)|error-(?P<error>\w+))(?:-times-(?P<times>\d+))?"
)


@dataclass(frozen=True, slots=True)
class Directive:
    """What one line asked for. ``times`` None: every time."""

    fail: int | None = None
    error: str | None = None
    times: int | None = None
    reply: str | None = None
    reply_length: int | None = None
    batch: Literal["expire", "stall"] | None = None


NOTHING = Directive()


def directive_of(body: dict[str, Any]) -> Directive:
    """What ``body`` asks for; what makes no sense is left out."""
    wanted = body.get("sandbox")
    if isinstance(wanted, dict):
        reply, batch = wanted.get("reply"), wanted.get("batch")
        error = wanted.get("error")
        return Directive(
            fail=_whole(wanted.get("fail")),
            error=error if isinstance(error, str) else None,
            times=_whole(wanted.get("times")),
            reply=reply if isinstance(reply, str) else None,
            reply_length=_whole(wanted.get("reply_length")),
            batch=batch if batch in ("expire", "stall") else None,
        )
    found = _MODEL.fullmatch(str(body.get("model", "")))
    if found is None:
        return NOTHING
    fail, error, times = found["fail"], found["error"], found["times"]
    return Directive(
        fail=int(fail) if fail else None, error=error, times=int(times) if times else None
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
