"""`batchgate watch`: a batch followed to its end."""

import math

import typer

from batchgate_client.cli import again
from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.failures import INTERRUPTED, failure
from batchgate_client.cli.options import BatchId


@calls
def watch(call: Call, batch_id: BatchId) -> None:
    """Follow a batch to its end; the exit code says how it ended (see `batchgate run --help`)."""
    # Here, since protobuf is slow to import.
    from batchgate_client.cli.following import Follower, watched_outcome  # noqa: PLC0415

    follower = Follower(call)
    with call.connection.client(patience=math.inf, on_change=follower.on_change) as client:
        try:
            batch = follower.follow(client, batch_id)
            if not call.output.as_json:
                call.output.item(batch)
            code = watched_outcome(client, batch)
        except KeyboardInterrupt:
            lines = [
                f"interrupted; {batch_id} goes on. To watch it again, or get its results:",
                f"  {again.command(call.connection, 'watch', batch_id)}",
                f"  {again.command(call.connection, 'results', batch_id, '--wait')}",
            ]
            raise failure("\n".join(lines), code=INTERRUPTED) from None
    raise typer.Exit(code)
