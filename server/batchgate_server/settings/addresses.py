"""The forms of an address: where the gateway listens, and the URLs of providers.

No message repeats the address: a URL may hold a password.
"""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

LAST_PORT = 65_535
# The kernel's limit for the path of a unix socket (sun_path), without its terminating zero.
LONGEST_SOCKET_PATH = 107

_HOST = re.compile(
    r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)
# RFC 3986; checked first because urlsplit silently drops line breaks and tabs.
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*")
# What people copy from a portal or from the OpenAI client's `base_url`.
_AZURE_API_PATH = re.compile(r"/openai(/v1)?$")


def check_listen(address: str) -> str:
    """The address, if a gRPC server can listen there: `host:port`, `[v6]:port`, `unix:/path`."""
    if address.startswith("unix:"):
        return _check_socket_path(address)
    host, colon, port = address.rpartition(":")
    if not colon or not host:
        raise ValueError('must be "host:port", "[v6]:port" or "unix:/path"')
    if not (port.isascii() and port.isdecimal() and int(port) <= LAST_PORT):
        raise ValueError(f"must end with a port from 0 to {LAST_PORT} (0: any free one)")
    if host.startswith("[") and host.endswith("]"):
        _check_ipv6(host[1:-1])
    elif ":" in host:
        raise ValueError('must have an IPv6 host in brackets, as in "[::1]:50051"')
    elif not _HOST.fullmatch(host):
        raise ValueError("must have a host name or an IP address before the port")
    return address


def is_local(listen: str) -> bool:
    """Whether only this machine can reach an address that `check_listen` has passed."""
    host = listen.rpartition(":")[0].strip("[]")
    if listen.startswith("unix:") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_base_url(url: str) -> str:
    """The URL without a trailing slash, if REST paths can be appended to it."""
    parts = _check_url(url)
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def check_azure_endpoint(url: str) -> str:
    """The resource's address without the API's own path, however it was copied."""
    endpoint = _AZURE_API_PATH.sub("", check_base_url(url)).rstrip("/")
    if "/openai/deployments" in endpoint:
        raise ValueError(
            "must be the resource's address, without /openai/deployments/…: "
            "the deployment is named by each line's model"
        )
    return endpoint


def check_authority(url: str) -> str:
    """The address of Microsoft Entra; tokens and secrets travel encrypted only."""
    parts = _check_url(url)
    if parts.scheme != "https" or parts.path.strip("/"):
        raise ValueError("must be https:// and a host, as https://login.microsoftonline.com")
    return f"https://{parts.netloc.lower()}"


def check_proxy_url(secret: SecretStr) -> SecretStr:
    """The URL of an HTTP proxy, which may hold a user name and password."""
    url = secret.get_secret_value()
    scheme, _, rest = url.partition("://")
    if not _URL_CHARACTERS.fullmatch(url) or scheme.lower() != "http":
        raise ValueError(
            "must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with anything but letters "
            "and digits in USER and PASSWORD percent-encoded"
        )
    parts = _check_url(f"http://{rest.rpartition('@')[2]}")
    if parts.path.strip("/"):
        raise ValueError("must have no path")
    if "/" in rest.rpartition("@")[0] or rest.count("@") > 1:
        raise ValueError("must have its user name and password percent-encoded")
    return secret


def _check_socket_path(address: str) -> str:
    path = address.removeprefix("unix:")
    if path.startswith("//"):
        path = path.removeprefix("//")
    if not path.startswith("/") or "\0" in path:
        raise ValueError('must have an absolute path, as in "unix:/run/batchgate.sock"')
    if len(path.encode(errors="surrogateescape")) > LONGEST_SOCKET_PATH:
        raise ValueError(f"must have a socket path of at most {LONGEST_SOCKET_PATH} bytes")
    return f"unix:{path}"


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError("must have an IPv6 address in the brackets") from None


def _check_url(url: str) -> SplitResult:
    if not _URL_CHARACTERS.fullmatch(url):
        raise ValueError(
            "must be plain ASCII without spaces (an international host name in its xn-- form)"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Not chained: urllib's message repeats parts of the URL.
        raise ValueError("must have a valid host and port") from None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("must be an absolute URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password; credentials have their own key")
    if "?" in url or "#" in url:
        raise ValueError("must not have a query or a fragment")
    host = parts.hostname or ""
    if port == 0 or not (":" in host or _HOST.fullmatch(host)):
        raise ValueError("must have a valid host and port")
    return parts
