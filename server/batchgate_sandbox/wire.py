"""Access to a request's connection, for faults that HTTP itself does not know.

ASGI hides the transport; uvicorn's protocol is extended by the lines that pass it on.
"""

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "batchgate_sandbox.transport"
# On, and not waiting: closing such a socket sends RST instead of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)


class SandboxProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with the transport among the request's extensions."""

    def on_message_begin(self) -> None:
        """Begin a request as uvicorn does, and add the transport."""
        super().on_message_begin()
        extensions: dict[str, dict[object, object]] = {EXTENSION: {"transport": self.transport}}
        self.scope["extensions"] = extensions

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on without copying it twice.

        uvicorn gathers pieces in a bytearray and makes bytes of it again. Where none waits, the
        piece itself can stand there: at full speed that is nearly always so.
        """
        cycle = self.cycle
        if not cycle.body and not cycle.response_complete:
            cycle.body = body  # type: ignore[assignment]  # it is only added to and read
            body = b""
        super().on_body(body)


def transport_of(scope: Scope) -> asyncio.Transport:
    """The connection that the request came on."""
    extension: dict[str, Any] = scope["extensions"][EXTENSION]
    transport: asyncio.Transport = extension["transport"]
    return transport


def reset(transport: asyncio.Transport) -> None:
    """Break the connection off with RST."""
    connection = transport.get_extra_info("socket")
    if connection is not None and not transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
