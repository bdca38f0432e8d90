"""The gateway's certificate: shown in each handshake as its files are at that time."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import grpc
import structlog

from batchgate_server.settings import TLSSettings
from batchgate_server.settings.certificates import Identity, read_identity
from batchgate_server.settings.followed import Followed


class ServerCertificate:
    """Certificate, key and authorities of callers, renewed when their files change.

    Connections that are open stay as they are. A change that cannot be used, as one that is half
    written, is passed over until it can.
    """

    def __init__(
        self, settings: TLSSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the files.

        Raises:
            ValueError: they changed since the settings were checked, and cannot be used.
        """
        self._settings = settings
        self._log = structlog.stdlib.get_logger()
        self._turn = threading.Lock()
        files = (settings.certificate_file, settings.key_file, settings.client_ca_file)
        # Looked at before they are read: what changes meanwhile is seen by the next look.
        self._files = Followed([file for file in files if file], clock=clock)
        self._refusal: str | None = None
        self._identity = self._read()

    def credentials(self) -> grpc.ServerCredentials:
        """For one port of a gRPC server; with client authorities every caller needs a certificate."""
        self._tell("certificate")
        return grpc.dynamic_ssl_server_credentials(
            _configuration(self._identity),
            self._renewed,  # type: ignore[arg-type] # documented to return None too
            require_client_authentication=self._settings.client_ca_file is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """What to show from now on, or None for no change; called by gRPC before each handshake."""
        # In threads of gRPC's own, several at once: one looks, the others go on.
        if not self._turn.acquire(blocking=False):
            return None
        try:
            return self._look_again() if self._files.is_due() else None
        finally:
            self._turn.release()

    def _look_again(self) -> grpc.ServerCertificateConfiguration | None:
        # What was refused is read again: it may have been read while it was written.
        if not self._files.have_changed() and self._refusal is None:
            return None
        try:
            identity = self._read()
        except ValueError as problem:
            if str(problem) != self._refusal:
                self._refusal = str(problem)
                self._log.warning(
                    "changed certificate files cannot be used; the certificate stays as it was",
                    problem=self._refusal,
                )
            return None
        self._refusal = None
        if identity == self._identity:
            return None
        self._identity = identity
        self._tell("certificate renewed")
        return _configuration(identity)

    def _tell(self, event: str) -> None:
        identity, now = self._identity, datetime.now(UTC)
        what = {"serial": identity.serial, "not_after": identity.not_after.isoformat()}
        self._log.info(event, **what, client_certificates=identity.client_ca is not None)
        if identity.not_after < now:
            self._log.warning("the certificate has expired; callers will refuse it", **what)
        elif identity.not_before > now:
            self._log.warning(
                "the certificate is not valid yet; callers will refuse it",
                **what,
                not_before=identity.not_before.isoformat(),
            )

    def _read(self) -> Identity:
        return read_identity(
            self._settings.certificate_file,
            self._settings.key_file,
            client_ca_file=self._settings.client_ca_file,
        )


def _configuration(identity: Identity) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(identity.key, identity.chain)], root_certificates=identity.client_ca
    )
