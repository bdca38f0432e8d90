"""One record in the audit log for each call that changes something, or that is refused."""

from typing import Any
from urllib.parse import unquote

from grpc import StatusCode

from batchgate_server.audit import AuditLog
from batchgate_server.call import Call
from batchgate_server.errors import (
    AuditUnavailable,
    CallerLimit,
    CallerNotPermitted,
    CallerUnauthenticated,
)
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.interceptors.outcome import OK, outcome_of

# All others change something, one that nobody has thought of too.
READING = frozenset(
    {
        "/batchgate.v1.FileService/GetFile",
        "/batchgate.v1.FileService/ListFiles",
        "/batchgate.v1.FileService/DownloadFile",
        "/batchgate.v1.BatchService/GetBatch",
        "/batchgate.v1.BatchService/ListBatches",
        "/batchgate.v1.BatchService/WatchBatch",
        "/batchgate.v1.BatchService/WaitBatch",
        "/batchgate.v1.BatchService/StreamBatchResults",
        "/batchgate.v1.ProviderService/ListProviders",
    }
)
REFUSALS = frozenset(
    kind.reason for kind in (CallerUnauthenticated, CallerNotPermitted, CallerLimit)
)
# How calls end whose creation may have happened.
UNSETTLED = frozenset({StatusCode.CANCELLED, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNKNOWN})
# Fields of requests that name what a call is about.
ASKED = ("file_id", "batch_id", "input_file_id")


class Auditing:
    """A concern of the chain."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    async def __call__(self, call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
        """Writes the record when the call is over; refuses it before if there can be none."""
        if not self._log.enabled:
            return await proceed()
        changes = call.method not in READING
        if changes and not self._log.vouches():
            raise AuditUnavailable
        code, reason = OK
        answer = None
        try:
            answer = await proceed()
            return answer
        except BaseException as exc:
            code, reason = outcome_of(exc, context)
            raise
        finally:
            if changes or reason in REFUSALS:
                peer = unquote(context.peer())
                provider = call.provider or getattr(call.request, "provider", "")
                self._log.write(
                    "call",
                    caller=call.caller.name,
                    peer=peer,
                    method=call.method,
                    provider=provider,
                    ids=_ids(call, answer),
                    code=code.name,
                    reason=reason,
                    may_exist=call.creating if code in UNSETTLED else "",
                    received_bytes=call.received_bytes,
                    request_id=call.request_id,
                    provider_request_id=call.provider_request_id,
                )
                call.noted_late = self._late

    def _late(self, call: Call) -> None:
        """What came of a call when it was over already."""
        self._log.write(
            "late",
            caller=call.caller.name,
            method=call.method,
            provider=call.provider,
            ids=call.ids,
            request_id=call.request_id,
            provider_request_id=call.provider_request_id,
        )


def _ids(call: Call, answer: object) -> dict[str, str]:
    """What was asked for, what was made or removed, and the batch that was there already."""
    ids = {name: asked for name in ASKED if (asked := getattr(call.request, name, ""))}
    ids |= call.ids
    found = getattr(getattr(answer, "batch", None), "id", "")
    if found and found not in ids.values():
        ids["found_batch_id"] = found
    return ids
