"""What callers may do: each RPC needs what the table of `callers.permissions` says."""

from typing import Any

from batchgate_server.call import Call
from batchgate_server.callers.permissions import rule_for
from batchgate_server.interceptors.chain import Context, Proceed


async def permission(
    call: Call,
    context: Context,  # noqa: ARG001 - a concern's parameter
    proceed: Proceed,
) -> Any:  # noqa: ANN401 - any message
    """Sets `call.kind`, or refuses."""
    call.kind = rule_for(call.method, call.caller).kind
    return await proceed()
