"""The Python client of batchgate: `Client`, `AsyncClient`, and what they raise."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchgate_client._async.client import AsyncClient
    from batchgate_client._sync.client import Client
    from batchgate_client.connection import Tls
    from batchgate_client.errors import BatchgateError

__all__ = ["AsyncClient", "BatchgateError", "Client", "Tls"]

# Imported when first asked for: gRPC is slow to import, and the command line's help needs none.
_PLACES = {
    "AsyncClient": "_async.client",
    "BatchgateError": "errors",
    "Client": "_sync.client",
    "Tls": "connection",
}


def __getattr__(name: str) -> object:
    """One of the names above."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
