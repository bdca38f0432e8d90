"""Whether an address can be listened on: asked of the system, whose errors say why not.

gRPC's own refusal says neither, and it takes a unix socket away from a server that still lives.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

UNIX = "unix:"
# For port 0, where the system's choice may be taken at another of the host's addresses.
ATTEMPTS = 20

Found = list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]


async def ensure_free(listen: str) -> None:
    """Return if nobody listens on `listen`: `host:port`, `[v6]:port` or `unix:/path`.

    Raises:
        OSError: it is in use, or no address of this machine.
    """
    if listen.startswith(UNIX):
        await _ensure_no_server(listen.removeprefix(UNIX))
        return
    host, port = _split(listen)
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    for family, kind, protocol, _, address in found:
        with _bound(family, kind, protocol, address):
            pass


@contextmanager
def reserved(listen: str) -> Iterator[str]:
    """Keep `host:port`, that is free, for processes of this user that share it by SO_REUSEPORT.

    Gives the address with its real port. Nobody is listened to here: the system knows only of those
    who listen, when a connection comes.

    Raises:
        OSError: it is in use, or no address of this machine.
    """
    host, port = _split(listen)
    with ExitStack() as held:
        taken, attempts = None, ATTEMPTS
        while taken is None:
            attempts -= 1
            try:
                taken = _share(held, host, port)
            except OSError as exc:
                held.close()
                if port or exc.errno != errno.EADDRINUSE or not attempts:
                    raise
        yield f"{listen.rpartition(':')[0]}:{taken}"


def _share(held: ExitStack, host: str | None, port: int) -> int:
    """Bind all of a host's addresses to one port."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        place = (address[0], port, *address[2:])
        sharing = _bound(family, kind, protocol, place, share=True)
        held.enter_context(sharing)
        port = sharing.getsockname()[1]
    return port


def _split(listen: str) -> tuple[str | None, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]") or None, int(port)


def _bound(
    family: int, kind: int, protocol: int, address: tuple[object, ...], *, share: bool = False
) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


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
