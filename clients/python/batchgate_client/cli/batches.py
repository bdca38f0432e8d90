"""`batchgate batches`: batches of a provider."""

from enum import StrEnum
from typing import Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.options import (
    BatchId,
    Limit,
    Metadata,
    OutputExpiresAfter,
    RequestId,
    Window,
    labels,
    seconds,
)
from batchgate_client.cli.results import results
from batchgate_client.cli.watch import watch

batches = typer.Typer(help="Batches of a provider.", no_args_is_help=True)
batches.command()(watch)
batches.command()(results)
COLUMNS = ("id", "status_text", "request_counts", "endpoint", "created_at", "input_file_id")


class Scope(StrEnum):
    """Which rows to try again."""

    UNSUCCESSFUL = "unsuccessful"
    FAILED_ONLY = "failed-only"


@batches.command()
@calls
def create(
    call: Call,
    file_id: Annotated[
        str, typer.Argument(metavar="FILE_ID", help="The provider's id of the uploaded file.")
    ],
    *,
    endpoint: Annotated[
        str, typer.Option(metavar="PATH", help="Where its lines go.")
    ] = "/v1/chat/completions",
    metadata: Metadata = None,
    window: Window = "",
    output_expires_after: OutputExpiresAfter = None,
    request_id: RequestId = "",
) -> None:
    """Create a batch of an uploaded file."""
    pairs, keep = labels(metadata), seconds(output_expires_after, "--output-expires-after")
    with call.creating(request_id, pairs) as (client, repeatable):
        batch = client.create_batch(
            file_id,
            endpoint=endpoint,
            metadata=pairs,
            completion_window=window,
            output_expires_after=keep,
            request_id=repeatable,
        )
    call.output.created("batch", batch.id, batch)


@batches.command("list")
@calls
def list_batches(call: Call, *, limit: Limit = 50) -> None:
    """List batches, newest first."""
    with call.connection.client() as client:
        call.output.items(client.list_batches(), COLUMNS, limit=limit, nothing="no batches")


@batches.command()
@calls
def get(call: Call, batch_id: BatchId) -> None:
    """Show a batch as it is now."""
    with call.connection.client() as client:
        call.output.item(client.get_batch(batch_id))


@batches.command()
@calls
def cancel(call: Call, batch_id: BatchId) -> None:
    """Cancel a batch; what was done until then stays."""
    with call.connection.client() as client:
        call.output.item(client.cancel_batch(batch_id))


@batches.command()
@calls
def retry(
    call: Call,
    batch_id: BatchId,
    *,
    scope: Annotated[
        Scope, typer.Option(help="All rows without success, or those with an answer of their own.")
    ] = Scope.UNSUCCESSFUL,
    metadata: Metadata = None,
    window: Window = "",
    request_id: RequestId = "",
) -> None:
    """Create a new batch of the rows that had no success."""
    from batchgate.v1.batch_service_pb2 import RetryScope  # noqa: PLC0415

    pairs = labels(metadata)
    with call.creating(request_id, pairs) as (client, repeatable):
        answer = client.retry_batch(
            batch_id,
            scope=RetryScope.Value(f"RETRY_SCOPE_{scope.name}"),
            metadata=pairs,
            completion_window=window,
            request_id=repeatable,
        )
    call.output.created("batch", answer.batch.id, answer)
