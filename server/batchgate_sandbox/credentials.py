"""The credential a request carries, wherever it stands."""

from collections.abc import Mapping


def bearer(headers: Mapping[str, str]) -> str:
    """The bearer credential, or nothing."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def key_of(headers: Mapping[str, str]) -> str:
    """The ``api-key``, else the bearer credential, else nothing."""
    return headers.get("api-key", "").strip() or bearer(headers)


def scheme_of(headers: Mapping[str, str]) -> str | None:
    """How the credential came: ``api-key``, ``bearer``, or not at all."""
    if headers.get("api-key", "").strip():
        return "api-key"
    return "bearer" if bearer(headers) else None
