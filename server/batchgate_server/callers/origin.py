"""Where callers without a name come from, so that one of them cannot take what is there for all."""

# As gRPC spells them. On this machine one address is everybody's: there each connection counts.
_LOCAL = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D")


def origin(peer: str) -> str:
    """The machine that a connection comes from, or of one from this machine the connection.

    Callers on one unix socket cannot be told apart.

    Args:
        peer: as `context.peer()` gives it.
    """
    return peer if peer.startswith(_LOCAL) else peer.rpartition(":")[0]
