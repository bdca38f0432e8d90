"""`batchgate providers` and `batchgate health`: whom the gateway can call, and whether it is well."""

from typing import Annotated

import typer

from batchgate_client.cli.call import Call, calls
from batchgate_client.cli.failures import FAILED, UNUSABLE, failure

COLUMNS = (
    "name",
    "kind",
    "is_default",
    "api_host",
    "api_version",
    "limits.max_requests_per_batch",
    "health.state",
    "health.detail",
)


@calls
def providers(
    call: Call,
    *,
    check_health: Annotated[
        bool,
        typer.Option("--check-health", help="Ask each provider now.", show_default=False),
    ] = False,
) -> None:
    """List the providers that you may use."""
    with call.connection.client() as client:
        call.output.items(client.list_providers(check_health=check_health), COLUMNS)


@calls
def health(
    call: Call,
    service: Annotated[
        str, typer.Argument(metavar="SERVICE", help="A service of the gateway. Default: all.")
    ] = "",
) -> None:
    """Ask the gateway whether it serves: exit code 0 if so, 1 if not, or if it does not answer."""
    # Here, since gRPC is slow to import.
    from batchgate_client.errors import BatchgateError  # noqa: PLC0415

    with call.connection.client() as client:
        try:
            serving = client.health(service)
        except BatchgateError as error:
            if error.code.name == "NOT_FOUND":
                raise failure(f"the gateway has no service {service!r}", code=UNUSABLE) from None
            raise
    call.output.done(
        {"service": service, "status": "SERVING" if serving else "NOT_SERVING"},
        "serving" if serving else "not serving",
    )
    if not serving:
        raise typer.Exit(FAILED)
