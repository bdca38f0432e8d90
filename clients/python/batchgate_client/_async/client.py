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
        timeout: Seconds of a unary call; None means 60, and 15 minutes for creations. Streams and
            uploads have no deadline unless they are given one.
        patience: Seconds for which streams try to go on while no gateway answers.
        max_retries: How often in a row a call is tried again; None means 4 times, and streams as
            long as `patience` lasts. 0 means never.
        provider_key: The caller's own key, for a profile with `caller_credentials`.
        metadata: More metadata of each call, such as `(("x-request-id", "…"),)`.
        channel: One of the caller's own, in place of `address` and `tls`.

    Reads, and creations with a `request_id`, are tried again where waiting helps: while the gateway is
    UNAVAILABLE, or as its RetryInfo says. Uploads and other creations never are. Methods return the
    contract's messages and raise `BatchgateError`s. An async client can be made anywhere, also where no
    event loop runs yet, and used in several.
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
