"""The Python client of batchgate: `Client`, `AsyncClient`, and what they raise."""

from batchgate_client._async.client import AsyncClient
from batchgate_client._sync.client import Client
from batchgate_client.connection import Tls
from batchgate_client.errors import BatchgateError

__all__ = ["AsyncClient", "BatchgateError", "Client", "Tls"]
