"""PEM files of the gateway as a client: whom it trusts, and as whom it calls."""

import ssl
from pathlib import Path
from typing import NoReturn

from batchgate_server.settings.certificates import parse_certificates, read_file


def load_ca(context: ssl.SSLContext, path: Path) -> None:
    """Trust the authorities in a file, besides those that `context` trusts already.

    Raises:
        ValueError: naming the file and what is wrong with it.
    """
    # Read and checked by us: OpenSSL's own errors do not say what is wrong.
    content = read_file(path)
    parse_certificates(content, path)
    context.load_verify_locations(cadata=content.decode("ascii", errors="ignore"))


def load_certificate(context: ssl.SSLContext, path: Path, key: Path | None) -> None:
    """Call with the certificate in a file; its key is in another file, or in the same.

    Raises:
        ValueError: naming the file and what is wrong with it.
    """
    parse_certificates(read_file(path), path)
    read_file(key or path)

    def refuse() -> NoReturn:
        # OpenSSL would ask at the terminal otherwise.
        raise _EncryptedKeyError

    try:
        context.load_cert_chain(path, key, password=refuse)
    except _EncryptedKeyError:
        raise ValueError(f"the key in {key or path} is encrypted; it must not be") from None
    except ssl.SSLError as exc:
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(f"the key in {key or path} is not that of {path}") from None
        where = f"{path} and {key}" if key else f"{path}"
        raise ValueError(f"no certificate with its key, in PEM form, is in {where}") from None


class _EncryptedKeyError(Exception):
    pass
