"""Certificates and keys in PEM files: read, and checked before anything is built on them.

The library that reads them is imported where it is used: it is slow to import, and without TLS
nobody needs it.
"""

import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# Far beyond any chain or bundle; keeps a wrong path from filling the memory.
_LONGEST_FILE = 4 * 1024 * 1024
# What gRPC's TLS library serves; others it refuses without saying why.
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_KINDS_OF_KEYS = "must be RSA, ECDSA (P-256, P-384, P-521) or Ed25519"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the gateway shows to its callers, and whose certificates it takes; as PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    client_ca: bytes | None = field(repr=False)
    """None where callers need no certificate."""
    serial: str
    """In hexadecimal digits, as tools show it."""
    not_before: datetime
    not_after: datetime


def read_identity(
    certificate_file: Path, key_file: Path, *, client_ca_file: Path | None
) -> Identity:
    """What these files hold now.

    Raises:
        ValueError: naming a file and what is wrong with it, without its content.
    """
    chain, key = read_file(certificate_file), read_file(key_file)
    client_ca = None if client_ca_file is None else read_file(client_ca_file)
    first = parse_certificates(chain, certificate_file)
    check_key(key, key_file, fits=first)
    if client_ca is not None and client_ca_file is not None:
        parse_certificates(client_ca, client_ca_file)
    return Identity(
        chain=chain,
        key=key,
        client_ca=client_ca,
        serial=f"{first.serial_number:x}",
        not_before=first.not_valid_before_utc,
        not_after=first.not_valid_after_utc,
    )


def read_file(path: Path) -> bytes:
    """The content of a regular file of bearable size.

    Raises:
        ValueError: naming the file.
    """
    try:
        # Not opened first: that would wait for the other end of a pipe.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path} is no regular file")
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
    except OSError as exc:
        raise ValueError(f"the file {path} cannot be read: {exc.strerror}") from exc
    if len(content) > _LONGEST_FILE:
        raise ValueError(f"the file {path} is larger than {_LONGEST_FILE} bytes")
    return content


def parse_certificates(content: bytes, path: Path) -> "Certificate":
    """The first of the PEM certificates in `content`, which was read from `path`.

    Raises:
        ValueError: if there is none, or one cannot be read or is not whole.
    """
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates  # noqa: PLC0415

    try:
        certificates = load_pem_x509_certificates(content)
    except (ValueError, InvalidVersion):
        # Not chained: the library's message points at its own documentation.
        raise ValueError(f"the file {path} holds no readable PEM certificate") from None
    # The library passes over one that is cut off behind others.
    if content.count(b"-----BEGIN ") != content.count(b"-----END "):
        raise ValueError(f"the file {path} ends in the middle of a certificate")
    return certificates[0]


def check_key(content: bytes, path: Path, *, fits: "Certificate | None") -> None:
    """Check that `content`, read from `path`, is a usable key, and that of the certificate.

    Raises:
        ValueError: without the content.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(content, password=None)
    except UnsupportedAlgorithm:
        raise ValueError(f"the key in {path} {_KINDS_OF_KEYS}") from None
    except TypeError:
        raise ValueError(
            f"the key in {path} is encrypted; store it without a passphrase, readable for the "
            "gateway alone"
        ) from None
    except ValueError:
        # Not chained, for the same reason as above.
        raise ValueError(f"the file {path} holds no readable PEM private key") from None
    match key:
        case rsa.RSAPrivateKey() | ed25519.Ed25519PrivateKey():
            pass
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            pass
        case _:
            raise ValueError(f"the key in {path} {_KINDS_OF_KEYS}")
    if fits is None:
        return
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        belongs = key.public_key().public_bytes(*form) == fits.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        # The certificate has a key that cannot be read.
        belongs = False
    if not belongs:
        raise ValueError(
            f"the key in {path} does not belong to the first certificate of certificate_file"
        )
