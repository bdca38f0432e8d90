"""TLS towards callers."""

from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from batchgate_server.settings.certificates import check_key, parse_certificates, read_file
from batchgate_server.settings.forms import FROZEN, FilePath


class TLSSettings(BaseModel):
    """Certificates of the gateway and of its callers. The files are read to check them."""

    model_config = FROZEN

    certificate_file: FilePath = Field(
        description="PEM file with the gateway's certificate, then those between it and its "
        "authority. It and `tls.key_file` turn TLS on."
    )
    key_file: FilePath = Field(description="PEM file with the certificate's key, not encrypted.")
    client_ca_file: FilePath | None = Field(
        default=None,
        description="PEM file with the authorities of callers' certificates; set, every caller needs "
        "one (mutual TLS).",
    )

    @field_validator("certificate_file", "client_ca_file")
    @classmethod
    def _has_certificates(cls, path: Path | None) -> Path | None:
        if path is not None:
            parse_certificates(read_file(path), path)
        return path

    @field_validator("key_file")
    @classmethod
    def _has_the_key(cls, path: Path, info: ValidationInfo) -> Path:
        certificate_file = info.data.get("certificate_file")
        check_key(
            read_file(path),
            path,
            fits=None
            if certificate_file is None
            else parse_certificates(read_file(certificate_file), certificate_file),
        )
        return path
