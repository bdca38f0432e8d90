"""What the contract says of itself: every reason is named where callers look for it."""

import re
from pathlib import Path

from batchgate.v1 import error_reason_pb2

PROTOS = Path(__file__).resolve().parents[2] / "protos" / "batchgate" / "v1"
# A defect says nothing of the call.
UNSAID = {"UNSPECIFIED", "INTERNAL"}


def test_every_reason_is_named_by_the_services() -> None:
    text = "".join(path.read_text() for path in PROTOS.glob("*_service.proto"))
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)*/([A-Z]+(?:_[A-Z]+)+)\b", text))
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, not a dict
    }
    assert reasons - UNSAID == named
