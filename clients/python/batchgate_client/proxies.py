"""The HTTP proxy that gRPC connects through, as it reads it from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

# gRPC's own variables and their order.
PROXIES, EXCEPTIONS = ("grpc_proxy", "https_proxy", "http_proxy"), ("no_grpc_proxy", "no_proxy")
SCHEMES = ("dns:", "ipv4:", "ipv6:")


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the variable that names it."""

    address: str
    variable: str


def host_of(address: str) -> str:
    """The host of a gateway's address; empty for a unix socket."""
    if address.startswith("unix"):
        return ""
    for scheme in SCHEMES:
        address = address.removeprefix(scheme)
    return urlsplit(f"//{address.rpartition('/')[2]}").hostname or ""


def is_local(address: str) -> bool:
    """Whether a gateway is on this machine, where no proxy can be meant."""
    host = host_of(address)
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(address: str, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """The proxy between here and the gateway, if there is one."""
    source = os.environ if environment is None else environment
    variable = next((name for name in PROXIES if source.get(name)), None)
    if variable is None or is_local(address):
        return None
    exceptions = next((source[name] for name in EXCEPTIONS if source.get(name)), "")
    host = host_of(address)
    if any(_covers(one.strip().lower(), host) for one in exceptions.split(",") if one.strip()):
        return None
    found = urlsplit(source[variable])
    # Without the user and password that may be in it.
    return Proxy(found.netloc.rpartition("@")[2] or "?", variable)


def _covers(exception: str, host: str) -> bool:
    if host.endswith(exception):
        return True
    try:
        return ip_address(host) in ip_network(exception, strict=False)
    except ValueError:
        return False
