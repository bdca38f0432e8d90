"""Why the gateway could not be reached: gRPC says but "unavailable", and often not why.

A connection of our own finds out: whether the name is known, whether somebody listens there, and
whether TLS is spoken.
"""

import os
import socket
import ssl
from contextlib import closing
from urllib.parse import urlsplit

from batchgate_client.cli.connection import Connection
from batchgate_client.cli.wording import printable

SECONDS = 3.0
# The begin of HTTP/2, and an empty frame of settings.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


# What the system's errors mean here, the special ones first.
MEANINGS: tuple[tuple[type[OSError], str], ...] = (
    (socket.gaierror, "no machine has that name; see --address"),
    (ConnectionRefusedError, "nothing listens there; is it running, and is --address right?"),
    (FileNotFoundError, "there is no such socket; is it running, and is --address right?"),
    (TimeoutError, "there is no answer; is --address right, and does a firewall let it through?"),
)


def diagnosed(connection: Connection) -> str | None:
    """What is wrong between here and the gateway and what to do, or None if nothing is seen."""
    try:
        with closing(_connected(connection.address)) as plain:
            return _of_tls(plain, connection)
    except OSError as error:
        for kind, meaning in MEANINGS:
            if isinstance(error, kind):
                return meaning
        return (os.strerror(error.errno) if error.errno else "no connection") + "; see --address"


def _connected(address: str) -> socket.socket:
    if address.startswith("unix:"):
        path = address.removeprefix("unix:")
        path = path.removeprefix("//") if path.startswith("///") else path
        plain = socket.socket(socket.AF_UNIX)
        try:
            plain.settimeout(SECONDS)
            plain.connect(path)
        except OSError:
            plain.close()
            raise
        return plain
    found = urlsplit(address if "://" in address else f"//{address}")
    place = found if found.netloc else urlsplit(f"//{found.path.strip('/')}")
    return socket.create_connection((place.hostname or "", place.port or 443), timeout=SECONDS)


def _of_tls(plain: socket.socket, connection: Connection) -> str | None:
    """What is wrong with TLS, on a connection that is open."""
    try:
        context = _context(connection)
    except OSError:
        return "--tls-ca, --tls-cert and --tls-key are no certificates and the key of one"
    host = connection.address.rpartition(":")[0].strip("[]")
    name = host if host and not connection.address.startswith("unix:") else "localhost"
    try:
        secure = context.wrap_socket(plain, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not trusted: {printable(error.verify_message)}; "
            "see --tls-ca, and the name in --address"
        )
    except OSError:
        return _without_tls(connection)
    with secure:
        if not connection.speaks_tls:
            return "it speaks TLS; name its authority with --tls-ca, or use --tls"
        return None if _answers(secure) else _unwanted(connection)


def _without_tls(connection: Connection) -> str | None:
    if connection.speaks_tls:
        return "it does not speak TLS; leave --tls and --tls-* out"
    with closing(_connected(connection.address)) as plain:
        plain.sendall(GREETING)
        if plain.recv(5) == b"HTTP/":
            return "a web server listens there, no gateway; is --address right?"
    return None


def _answers(secure: ssl.SSLSocket) -> bool:
    """Whether it goes on; a gateway that wants a certificate says so only after the handshake."""
    try:
        secure.sendall(GREETING)
        return bool(secure.recv(1))
    except OSError:
        return False


def _unwanted(connection: Connection) -> str:
    if connection.tls_cert:
        return "it refuses your certificate; is it by an authority that the gateway knows?"
    return "it wants a certificate of yours: --tls-cert and --tls-key"


def _context(connection: Connection) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=connection.tls_ca)
    if connection.tls_cert:
        context.load_cert_chain(connection.tls_cert, connection.tls_key)
    if not connection.speaks_tls:
        # Only whether it is spoken; nothing is sent that would need trust.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context
