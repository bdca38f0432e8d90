"""Batches between protos and REST."""

import re
from collections.abc import Mapping

from batchgate.v1 import batch_pb2, batch_service_pb2
from batchgate_server.errors import InvalidField
from batchgate_server.operations import (
    OWN_PREFIX,
    REQUEST_ID_KEY,
    RETRY_OF_KEY,
    NewBatch,
    request_key,
)
from batchgate_server.rest.models import RestBatch, RestRequestCounts, RestUsage
from batchgate_server.translation.identifiers import checked_endpoint, checked_id, checked_word
from batchgate_server.translation.times import timestamp, whole_seconds

STATUSES = {
    name.removeprefix("BATCH_STATUS_").lower(): batch_pb2.BatchStatus.Value(name)
    for name in batch_pb2.BatchStatus.keys()  # noqa: SIM118 - an enum wrapper, not a dict
}
DEFAULT_COMPLETION_WINDOW = "24h"
# What the gateway keeps in a batch's metadata, and takes out of what callers see.
HIDDEN_KEYS = frozenset({REQUEST_ID_KEY, RETRY_OF_KEY})
PAIRS = 16
REQUEST_ID = re.compile(r"[\x20-\x7e]{0,128}")
NO_COUNTS, NO_USAGE = RestRequestCounts(), RestUsage()


def new_batch(
    request: batch_service_pb2.CreateBatchRequest,
    *,
    caller: str = "",
    output_lifetime: int | None = None,
) -> NewBatch:
    """What to create, checked; `output_lifetime` (seconds) counts where the request has none."""
    return NewBatch(
        input_file_id=checked_id("input_file_id", request.input_file_id),
        endpoint=checked_endpoint("endpoint", request.endpoint),
        completion_window=checked_word(
            "completion_window", request.completion_window or DEFAULT_COMPLETION_WINDOW
        ),
        metadata=checked_metadata(request.metadata, request_id=request.request_id),
        key=request_key(request.request_id, caller=caller),
        output_expires_after_seconds=(
            whole_seconds("output_expires_after", request.output_expires_after)
            if request.HasField("output_expires_after")
            else output_lifetime
        ),
    )


def retried_batch(
    request: batch_service_pb2.RetryBatchRequest,
    old: RestBatch,
    *,
    caller: str = "",
    output_lifetime: int | None,
) -> NewBatch:
    """What to create of an old batch, checked; the input file is not known yet.

    It says whose retry it is, where there is room for one more pair.

    Raises:
        InvalidField: such as where the old batch's labels leave no room for the request_id.
    """
    metadata = dict(request.metadata) or {
        key: value for key, value in old.metadata.items() if not key.startswith(OWN_PREFIX)
    }
    if request.request_id and not request.metadata and len(metadata) >= PAIRS:
        raise InvalidField(
            "metadata",
            f"must be given, with at most {PAIRS - 1} pairs: those of {old.id} fill all {PAIRS} of "
            "the provider's, and the request_id needs one",
        )
    room = len(metadata) + bool(request.request_id) < PAIRS
    return NewBatch(
        input_file_id="",
        endpoint=old.endpoint,
        completion_window=(
            checked_word("completion_window", request.completion_window)
            if request.completion_window
            else old.completion_window or DEFAULT_COMPLETION_WINDOW
        ),
        metadata=checked_metadata(
            metadata,
            request_id=request.request_id,
            **({RETRY_OF_KEY: old.id} if room else {}),
        ),
        key=request_key(request.request_id, caller=caller),
        output_expires_after_seconds=output_lifetime,
    )


def submitted_batch(
    metadata: batch_service_pb2.SubmitBatchMetadata,
    *,
    caller: str = "",
    output_lifetime: int | None = None,
) -> NewBatch:
    """What to create of rows, checked; its input file is not known yet."""
    return NewBatch(
        input_file_id="",
        endpoint=checked_endpoint("metadata.endpoint", metadata.endpoint),
        completion_window=checked_word(
            "metadata.completion_window", metadata.completion_window or DEFAULT_COMPLETION_WINDOW
        ),
        metadata=checked_metadata(
            metadata.metadata, request_id=metadata.request_id, within="metadata."
        ),
        key=request_key(metadata.request_id, caller=caller),
        output_expires_after_seconds=(
            whole_seconds("metadata.output_expires_after", metadata.output_expires_after)
            if metadata.HasField("output_expires_after")
            else output_lifetime
        ),
    )


def checked_metadata(
    metadata: Mapping[str, str], *, request_id: str, within: str = "", **own: str
) -> dict[str, str]:
    """A batch's metadata for the provider, with room for the pair that a request_id needs.

    `within` is the path of the message that holds the fields, as `metadata.`; `own` are pairs of
    the gateway's own.
    """
    for key in metadata:
        if key.startswith(OWN_PREFIX):
            raise InvalidField(
                f"{within}metadata", f'must have no key that begins with "{OWN_PREFIX}"'
            )
    if not REQUEST_ID.fullmatch(request_id):
        raise InvalidField(
            f"{within}request_id", "must be at most 128 printable ASCII characters; a UUID is good"
        )
    needed = [REQUEST_ID_KEY, *own] if request_id else [*own]
    # Without a pair of its own the gateway leaves the limit to the provider.
    if needed and len(metadata) + len(needed) > PAIRS:
        raise InvalidField(
            f"{within}metadata",
            f"must have at most {PAIRS - len(needed)} pairs: the gateway itself needs "
            f"{len(needed)} of the provider's {PAIRS} (for {', '.join(needed)})",
        )
    return {**metadata, **own}


def visible_metadata(batch: RestBatch) -> dict[str, str]:
    """A batch's metadata without what the gateway keeps in it."""
    return {key: value for key, value in batch.metadata.items() if key not in HIDDEN_KEYS}


def batch_message(batch: RestBatch, *, provider: str) -> batch_pb2.Batch:
    """A provider's batch as the contract has it."""
    return batch_pb2.Batch(
        provider=provider,
        id=batch.id,
        endpoint=batch.endpoint,
        model=batch.model,
        status=STATUSES.get(batch.state, batch_pb2.BATCH_STATUS_UNSPECIFIED),
        status_text=batch.status,
        input_file_id=batch.input_file_id,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        completion_window=batch.completion_window,
        created_at=timestamp(batch.created_at),
        in_progress_at=timestamp(batch.in_progress_at),
        expires_at=timestamp(batch.expires_at),
        finalizing_at=timestamp(batch.finalizing_at),
        completed_at=timestamp(batch.completed_at),
        failed_at=timestamp(batch.failed_at),
        expired_at=timestamp(batch.expired_at),
        cancelling_at=timestamp(batch.cancelling_at),
        cancelled_at=timestamp(batch.cancelled_at),
        request_counts=_counts(batch.request_counts),
        usage=usage_message(batch.usage),
        errors=[
            batch_pb2.BatchError(
                code=error.code, message=error.message, param=error.param, line=error.line
            )
            for error in batch.errors
        ],
        metadata=visible_metadata(batch),
    )


def watch_message(
    batch: RestBatch | None,
    *,
    provider: str,
    batch_id: str,
    event: batch_service_pb2.WatchEvent.ValueType,
    observed_at: float | None,
) -> batch_service_pb2.WatchBatchResponse:
    """What is new with a batch; one that has not been seen yet is no more than its id."""
    return batch_service_pb2.WatchBatchResponse(
        batch=(
            batch_message(batch, provider=provider)
            if batch
            else batch_pb2.Batch(provider=provider, id=batch_id)
        ),
        event=event,
        observed_at=timestamp(observed_at),
    )


def _counts(counts: RestRequestCounts | None) -> batch_pb2.BatchRequestCounts | None:
    if counts is None or counts == NO_COUNTS:
        return None
    return batch_pb2.BatchRequestCounts(
        total=counts.total or 0, completed=counts.completed or 0, failed=counts.failed or 0
    )


def usage_message(usage: RestUsage | None) -> batch_pb2.BatchUsage | None:
    """The tokens used as the contract has them; None where nothing is said."""
    if usage is None or usage == NO_USAGE:
        return None
    inputs, outputs = usage.input_tokens_details, usage.output_tokens_details
    return batch_pb2.BatchUsage(
        input_tokens=usage.input_tokens or 0,
        cached_input_tokens=(inputs.cached_tokens or 0) if inputs else 0,
        output_tokens=usage.output_tokens or 0,
        reasoning_output_tokens=(outputs.reasoning_tokens or 0) if outputs else 0,
        total_tokens=usage.total_tokens or 0,
    )
