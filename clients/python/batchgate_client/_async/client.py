"""The client: all services over one channel."""

from collections.abc import Mapping
from typing import Any, Self

from batchgate_client._async.batches import AsyncBatchCalls
from batchgate_client._async.files import AsyncFileCalls
from batchgate_client._async.providers import AsyncProviderCalls
from batchgate_client.environment import environment_settings


class AsyncClient(AsyncFileCalls, AsyncBatchCalls, AsyncProviderCalls):
    """A client of one gateway, for any number of calls at once.

    Args:
        address: Of the gateway, `host:port` or `unix:/path`.
        provider: The profile that calls mean which name none; empty for the gateway's default.
        token: Sent as `authorization: Bearer …`.
        tls: None for plaintext.
        timeout: Seconds of a unary call. Streams and uploads have no deadline unless they are
            given one; creations have 15 minutes.
        patience: Seconds for which streams try to go on while no gateway answers.
        provider_key: The caller's own key, for a profile with `caller_credentials`.
        metadata: More metadata of each call, such as `(("x-request-id", "…"),)`.
        channel: One of the caller's own, in place of `address` and `tls`.

    Reads are tried again while the gateway is UNAVAILABLE, uploads and creations never. Methods
    return the contract's messages and raise `BatchgateError`s.
    """

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        **settings: Any,  # noqa: ANN401 - those of the client itself
    ) -> Self:
        """A client with what `BATCHGATE_ADDRESS`, `BATCHGATE_TOKEN` … say; `settings` come first.

        Raises:
            ValueError: A variable has a value that means nothing.
        """
        return cls(**{**environment_settings(environment), **settings})
