"""Certificates for tests: an authority of one's own, and what it issues, as PEM files."""

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = dt.timedelta(hours=1)
LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, in files and as bytes."""

    certificate_file: Path
    key_file: Path
    serial: int

    @property
    def certificate(self) -> bytes:
        return self.certificate_file.read_bytes()

    @property
    def key(self) -> bytes:
        return self.key_file.read_bytes()


class Authority:
    """A certificate authority; all it makes lies in `directory`."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"batchgate test {name}")])
        builder = _builder(self._name, self._name, self._key, not_after=None).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(_pem(builder.sign(self._key, hashes.SHA256())))

    @property
    def certificate(self) -> bytes:
        return self.file.read_bytes()

    def issue(
        self,
        name: str,
        *,
        san: Iterable[str] = LOCAL,
        not_after: dt.datetime | None = None,
        directory: Path | None = None,
        key: CertificateIssuerPrivateKeyTypes | None = None,
    ) -> Issued:
        """A certificate for `name` as `name.pem` and `name.key`.

        Args:
            name: its common name, and that of its files.
            san: subject alternative names: host names, IP addresses, or URIs; may be empty.
                `dns=TEXT` puts any text where a host name belongs.
            not_after: its end, with a timezone; an hour from now if None.
            directory: where its files go; the authority's own if None.
            key: its key; a new one of P-256 if None.
        """
        directory = directory or self._directory
        key = key or ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = _builder(subject, self._name, key, not_after=not_after).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        names = [_general_name(one) for one in san]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        issued = Issued(
            directory / f"{name}.pem", directory / f"{name}.key", certificate.serial_number
        )
        issued.certificate_file.write_bytes(_pem(certificate))
        issued.key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return issued


def private_key(pem: bytes) -> CertificateIssuerPrivateKeyTypes:
    """The key in `pem`."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificateIssuerPrivateKeyTypes,
    *,
    not_after: dt.datetime | None,
) -> x509.CertificateBuilder:
    end = not_after or dt.datetime.now(dt.UTC) + HOUR
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(end, dt.datetime.now(dt.UTC)) - HOUR)
        .not_valid_after(end)
    )


def _general_name(text: str) -> x509.GeneralName:
    if text.startswith("dns="):
        return x509.DNSName(text.removeprefix("dns="))
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
