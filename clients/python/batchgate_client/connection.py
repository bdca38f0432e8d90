"""How a channel to the gateway is made: address, TLS, options, and what goes along with each call."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from batchgate_client.proxies import is_local

DEFAULT_ADDRESS = "127.0.0.1:50051"
MAX_MESSAGE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Tls:
    """TLS to the gateway. Each is a PEM file's path, or the PEM itself as bytes.

    Without `ca` the system's authorities count. `certificate` and `key` go together: the
    caller's own, for mutual TLS. `server_name` is the name to look for in the gateway's
    certificate, where it is not the address's.
    """

    ca: str | Path | bytes | None = None
    certificate: str | Path | bytes | None = None
    key: str | Path | bytes | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """As gRPC wants them.

        Raises:
            OSError: A file cannot be read.
            ValueError: A certificate without its key, or the reverse.
        """
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together: give both, or neither")
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.ca),
            private_key=_pem(self.key),
            certificate_chain=_pem(self.certificate),
        )


def _pem(given: str | Path | bytes | None) -> bytes | None:
    return Path(given).read_bytes() if isinstance(given, str | Path) else given


def channel_options(address: str, tls: Tls | None) -> list[tuple[str, Any]]:
    """The options of a channel to the gateway."""
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        # A watch is silent for up to 30 s; a dead connection is noticed soon after that.
        ("grpc.keepalive_time_ms", 40_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # A gateway that comes back is found soon.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
    ]
    if is_local(address):
        # A proxy of the environment cannot reach this machine's own loopback.
        options.append(("grpc.enable_http_proxy", 0))
    if tls and tls.server_name:
        options.append(("grpc.ssl_target_name_override", tls.server_name))
    return options


@dataclass(frozen=True)
class Identity:
    """What goes along with each call."""

    provider: str = ""
    token: str | None = None
    provider_key: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Identity(provider={self.provider!r})"

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The metadata of a call."""
        bearer = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        key = (("x-provider-key", self.provider_key),) if self.provider_key else ()
        return (*bearer, *key, *self.metadata)
