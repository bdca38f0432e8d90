"""Batches between protos and REST."""

from batchgate.v1 import batch_pb2, batch_service_pb2
from batchgate_server.operations import NewBatch
from batchgate_server.rest.models import RestBatch, RestRequestCounts, RestUsage
from batchgate_server.translation.identifiers import checked_id, checked_word
from batchgate_server.translation.times import timestamp, whole_seconds

STATUSES = {
    name.removeprefix("BATCH_STATUS_").lower(): batch_pb2.BatchStatus.Value(name)
    for name in batch_pb2.BatchStatus.keys()  # noqa: SIM118 - an enum wrapper, not a dict
}
DEFAULT_COMPLETION_WINDOW = "24h"
NO_COUNTS, NO_USAGE = RestRequestCounts(), RestUsage()


def new_batch(request: batch_service_pb2.CreateBatchRequest) -> NewBatch:
    """What to create, checked."""
    return NewBatch(
        input_file_id=checked_id("input_file_id", request.input_file_id),
        endpoint=checked_word("endpoint", request.endpoint),
        completion_window=checked_word(
            "completion_window", request.completion_window or DEFAULT_COMPLETION_WINDOW
        ),
        metadata=dict(request.metadata),
        output_expires_after_seconds=(
            whole_seconds("output_expires_after", request.output_expires_after)
            if request.HasField("output_expires_after")
            else None
        ),
    )


def batch_message(batch: RestBatch, *, provider: str) -> batch_pb2.Batch:
    """A provider's batch as the contract has it."""
    return batch_pb2.Batch(
        provider=provider,
        id=batch.id,
        endpoint=batch.endpoint,
        model=batch.model,
        status=STATUSES.get(batch.status.lower(), batch_pb2.BATCH_STATUS_UNSPECIFIED),
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
        usage=_usage(batch.usage),
        errors=[
            batch_pb2.BatchError(
                code=error.code, message=error.message, param=error.param, line=error.line
            )
            for error in batch.errors
        ],
        metadata=batch.metadata,
    )


def _counts(counts: RestRequestCounts | None) -> batch_pb2.BatchRequestCounts | None:
    if counts is None or counts == NO_COUNTS:
        return None
    return batch_pb2.BatchRequestCounts(
        total=counts.total or 0, completed=counts.completed or 0, failed=counts.failed or 0
    )


def _usage(usage: RestUsage | None) -> batch_pb2.BatchUsage | None:
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
