"""The names in a caller's certificate, from what gRPC tells of the connection."""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

_SPIFFE = "spiffe:"


class AlternativeName(NamedTuple):
    """A subject alternative name (SAN) of a certificate that was verified."""

    kind: Literal["dns", "uri"]
    value: str
    """A DNS name in lower case (as it stands: `*.mesh` is one), or a URI unchanged."""


def alternative_names(auth_context: Mapping[str, Iterable[bytes]]) -> tuple[AlternativeName, ...]:
    """The DNS names, then the URIs, each in the certificate's order; empty without a certificate.

    gRPC tells them only of a certificate that was verified in the handshake. Its one list of all
    SANs is not used: there a DNS name that is spelled as a URI looks like one.

    Args:
        auth_context: as `context.auth_context()` gives it.
    """
    if list(auth_context.get("transport_security_type", ())) != [b"ssl"]:
        return ()
    names = [
        AlternativeName("dns", name.lower()) for name in _texts(auth_context.get("peer_dns", ()))
    ]
    # Of one URI alone: a SPIFFE certificate with several has to be refused, says its standard.
    spiffe_ids = list(_texts(auth_context.get("peer_spiffe_id", ())))
    names += [
        AlternativeName("uri", uri)
        for uri in _texts(auth_context.get("peer_uri", ()))
        if not uri.lower().startswith(_SPIFFE) or uri in spiffe_ids
    ]
    return tuple(names)


def _texts(values: Iterable[bytes]) -> Iterable[str]:
    # Both kinds are ASCII by their standard; what is not, or could not be shown, names nobody.
    return (value.decode() for value in values if value.isascii() and value.decode().isprintable())
