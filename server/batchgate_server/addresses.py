"""Whether an address can be listened on: asked of the system, whose errors say why not.

gRPC's own refusal says neither, and it takes a unix socket away from a server that still lives.
"""

import asyncio
import errno
import os
import socket
from pathlib import Path

UNIX = "unix:"


async def ensure_free(listen: str) -> None:
    """Return if nobody listens on `listen`: `host:port`, `[v6]:port` or `unix:/path`.

    Raises:
        OSError: it is in use, or no address of this machine.
    """
    if listen.startswith(UNIX):
        await _ensure_no_server(listen.removeprefix(UNIX))
        return
    host, _, port = listen.rpartition(":")
    found = await asyncio.get_running_loop().getaddrinfo(
        host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)


async def _ensure_no_server(path: str) -> None:
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except (FileNotFoundError, ConnectionRefusedError):
        if not Path(path).parent.is_dir():
            raise
        # Nothing there, or what a server that ended left behind.
        return
    writer.close()
    await writer.wait_closed()
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
