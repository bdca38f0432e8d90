"""The caller's own key for a provider, where it sends one."""

from typing import Any

from batchgate_server.call import Call
from batchgate_server.callers.provider_key import ProviderKey
from batchgate_server.errors import InvalidField
from batchgate_server.interceptors.chain import Context, Proceed
from batchgate_server.outside import KEY

HEADER = "x-provider-key"


async def provider_key(call: Call, context: Context, proceed: Proceed) -> Any:  # noqa: ANN401 - any message
    """Takes the key from the metadata; whether the profile wants one is known when it is chosen."""
    keys = [value for name, value in context.invocation_metadata() or () if name == HEADER]
    if keys:
        (key, *others) = keys
        if others:
            raise InvalidField(HEADER, "is there more than once")
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise InvalidField(
                HEADER,
                'must be the provider\'s key in visible ASCII, without "Bearer " and not empty',
            )
        call.provider_key = ProviderKey(key)
    return await proceed()
