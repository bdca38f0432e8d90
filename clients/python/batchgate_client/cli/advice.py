"""What a call failed with, and what to do about it, as lines for people."""

from collections.abc import Iterator

import grpc
import typer

from batchgate_client import BatchgateError, Client
from batchgate_client.cli.choosing import near
from batchgate_client.cli.connection import Connection
from batchgate_client.cli.diagnosis import diagnosed
from batchgate_client.cli.failures import FAILED, UNUSABLE, failure
from batchgate_client.cli.wording import printable
from batchgate_client.proxies import host_of, proxy_for

# What to do, by the reason of the error.
ADVICE = {
    "PROVIDER_REQUIRED": "name one with --provider or BATCHGATE_PROVIDER",
    "PROVIDER_NOT_FOUND": "see `batchgate batches list`, `batchgate files list`, or another --provider",
    "CALLER_UNAUTHENTICATED": "set BATCHGATE_TOKEN, or name a file with --token-file",
    "CALLER_NOT_PERMITTED": "who runs the gateway can allow it",
    "PROVIDER_CREDENTIAL_REJECTED": "who runs the gateway has to renew its key at the provider",
    "PROVIDER_QUOTA_EXCEEDED": "waiting does not help: free some, or ask the provider for more",
    "PROVIDER_TOKEN_LIMIT": "try it again when batches that are waiting have ended",
    "BATCH_NOT_FINISHED": "see `batchgate watch`, or add --wait",
    "RESULTS_MISSING": "look again later, and create nothing anew: what succeeded would be paid twice",
    "IDEMPOTENCY_KEY_REUSED": "choose another --request-id, or repeat what it was used for",
    "OUTCOME_UNKNOWN": "look what there is with `batchgate batches list` and `batchgate files list`",
    "PROVIDER_UNREACHABLE": "`batchgate providers --check-health` tells how it is",
    "INTERNAL": "a defect: the gateway's log has more, under the request id",
}
# What is wrong with the command as it is given: the same again would fail the same.
AS_GIVEN = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNIMPLEMENTED,
}
# The word of gRPC itself, which gives no reason.
TOO_LARGE = "SERVER: Received message larger than max"
MOST_VIOLATIONS = 20
# What may have happened although no answer says so.
UNCLEAR = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
}


def explained(
    error: BatchgateError, connection: Connection, client: Client, *, unclear: str = ""
) -> typer.Exit:
    """Say what a call failed with and what to do; raise the result to end the command."""
    told = list(lines(error, connection, client))
    if unclear and error.code in UNCLEAR:
        told.append(unclear)
    return failure("\n".join(told), code=exit_code(error))


def exit_code(error: BatchgateError) -> int:
    """Whether it went wrong on the way, or cannot be carried out as given."""
    if error.reason == "RESULTS_MISSING":
        return FAILED  # With time, they may come.
    return UNUSABLE if error.code in AS_GIVEN or _is_too_large(error) else FAILED


def _is_too_large(error: BatchgateError) -> bool:
    """Whether the gateway's gRPC refused a message, before anything of ours saw it."""
    return (
        error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        and not error.reason
        and TOO_LARGE in error.message
    )


def lines(error: BatchgateError, connection: Connection, client: Client) -> Iterator[str]:
    """What is said of it, line by line."""
    message = printable(error.message) or "no word of why"
    if not error.reason and error.code is grpc.StatusCode.UNAVAILABLE:
        yield f"cannot reach the gateway at {printable(connection.address)}"
        if proxy := proxy_for(connection.address):
            yield f"  through the proxy {printable(proxy.address)}, which {proxy.variable} names"
            yield f"  no_proxy={printable(host_of(connection.address))} goes there without it"
            return
        yield f"  {diagnosed(connection) or message}"
        return
    yield f"{error.reason or error.code.name}: {message}"
    for violation in error.violations[:MOST_VIOLATIONS]:
        yield f"  {printable(violation.field)}: {printable(violation.description)}"
    if len(error.violations) > MOST_VIOLATIONS:
        yield f"  and {len(error.violations) - MOST_VIOLATIONS} more"
    for advice in _advice(error, connection, client):
        yield f"  {advice}"
    if error.request_id and error.code not in {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED,
    }:
        yield f"  (request id {printable(error.request_id)})"


def _advice(error: BatchgateError, connection: Connection, client: Client) -> Iterator[str]:
    if error.reason == "PROVIDER_UNKNOWN":
        yield from _near(client, connection.provider)
    elif error.reason in ADVICE:
        yield ADVICE[error.reason]
    elif _is_too_large(error):
        yield "a row is too large for a message; put the rows into a batch file: see `batchgate run`"
    elif error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        limit = "its time" if connection.timeout is None else f"{connection.timeout:g} s"
        yield f"it took longer than {limit}; raise --timeout"
    if error.retry_after is not None:
        yield f"it may be tried again in {error.retry_after:.3g} s"


def _near(client: Client, name: str) -> Iterator[str]:
    try:
        names = [provider.name for provider in client.list_providers()]
    except BatchgateError:
        return  # The first error is what is told.
    if hint := near(name, names):
        yield hint
