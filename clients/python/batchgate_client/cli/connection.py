"""How a command reaches the gateway: its options and variables, and the client that they make."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from batchgate_client.cli.failures import UNUSABLE, failure

if TYPE_CHECKING:
    from batchgate_client import Tls
    from batchgate_client.cli.presence import PatientClient

PANEL = "The gateway"
PATIENCE_SECONDS = 300.0
SCHEMES = ("", "unix", "dns", "ipv4", "ipv6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The options of every command that calls a gateway; each has a variable too."""

    address: Annotated[
        str,
        typer.Option(
            envvar="BATCHGATE_ADDRESS",
            metavar="HOST:PORT",
            help="Where it listens; also unix:/path.",
            rich_help_panel=PANEL,
        ),
    ] = "127.0.0.1:50051"
    provider: Annotated[
        str,
        typer.Option(
            envvar="BATCHGATE_PROVIDER",
            metavar="NAME",
            help="The provider's profile; `batchgate providers` lists them. Default: the gateway's.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = ""
    token: Annotated[
        str | None,
        typer.Option(
            envvar="BATCHGATE_TOKEN",
            metavar="TOKEN",
            help="Your token. Others on the machine can see options: better by the variable, or:",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHGATE_TOKEN_FILE",
            metavar="FILE",
            help="A file with your token.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            envvar="BATCHGATE_TLS",
            help="Speak TLS, trusting the authorities of this machine. The next ones imply it.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = False
    tls_ca: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHGATE_TLS_CA",
            metavar="FILE",
            help="PEM file with the authorities to trust instead.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHGATE_TLS_CERT",
            metavar="FILE",
            help="PEM file with your certificate, for mutual TLS.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        typer.Option(
            envvar="BATCHGATE_TLS_KEY",
            metavar="FILE",
            help="PEM file with its key.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    timeout: Annotated[
        float | None,
        typer.Option(
            envvar="BATCHGATE_TIMEOUT",
            metavar="SECONDS",
            min=0.001,
            help="How long a call may take that is no stream. Default: 60, or 900 to create a batch.",
            rich_help_panel=PANEL,
            show_default=False,
        ),
    ] = None
    json: Annotated[
        bool,
        typer.Option("--json", help="Answer as JSON, for programs.", show_default=False),
    ] = False

    @property
    def speaks_tls(self) -> bool:
        """Whether TLS was asked for, one way or another."""
        return self.tls or bool(self.tls_ca or self.tls_cert or self.tls_key)

    @contextmanager
    def client(
        self,
        *,
        patience: float = PATIENCE_SECONDS,
        on_change: Callable[[str], None] = lambda _: None,
        unclear: str = "",
    ) -> Iterator["PatientClient"]:
        """A client until the block ends. What a call fails with ends the command, told clearly.

        Streams try to go on for `patience` seconds while no gateway answers; `on_change` is told
        why, and nothing when they do. `unclear` is added where a call may have done something.
        """
        # Here, since gRPC is slow to import.
        from batchgate_client import BatchgateError  # noqa: PLC0415
        from batchgate_client.cli.advice import explained  # noqa: PLC0415
        from batchgate_client.cli.presence import PatientClient  # noqa: PLC0415

        self._check_address()
        token, tls = self._token(), self._tls()
        with PatientClient(
            address=self.address,
            provider=self.provider,
            token=token,
            tls=tls,
            timeout=self.timeout,
            patience=patience,
            on_change=on_change,
        ) as client:
            try:
                yield client
            except BatchgateError as error:
                raise explained(error, self, client, unclear=unclear) from None

    def _check_address(self) -> None:
        form = "--address is HOST:PORT, [V6]:PORT or unix:/path"
        if "://" in self.address:
            found = urlsplit(self.address)
            if found.scheme not in SCHEMES:
                other = ", and TLS is asked for by --tls" if found.scheme == "https" else ""
                raise failure(f"{form}, without {found.scheme}://{other}", code=UNUSABLE)
            return
        host, colon, port = self.address.rpartition(":")
        if self.address.startswith("unix:"):
            return
        if not colon or not host or not port.isdecimal() or int(port) > 65535:  # noqa: PLR2004
            raise failure(f"{form}, not {self.address!r}", code=UNUSABLE)

    def _token(self) -> str | None:
        if self.token_file is None or self.token:
            return self.token
        token = _read(self.token_file, "--token-file").decode("utf-8", "replace").strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise failure(f"--token-file {self.token_file}: holds no token", code=UNUSABLE)
        return token

    def _check_switch(self) -> None:
        from batchgate_client.environment import contradiction, switch  # noqa: PLC0415

        try:
            said = switch("TLS", os.environ)
        except ValueError as error:
            raise failure(str(error), code=UNUSABLE) from None
        files = ("tls_ca", "tls_cert", "tls_key")
        if (
            said is False
            and not self.tls
            and (named := [one for one in files if getattr(self, one)])
        ):
            option = f"--{named[0].replace('_', '-')}"
            raise failure(contradiction(option), code=UNUSABLE)

    def _tls(self) -> "Tls | None":
        from batchgate_client import Tls  # noqa: PLC0415

        self._check_switch()
        if not self.speaks_tls:
            return None
        if bool(self.tls_cert) != bool(self.tls_key):
            raise failure("--tls-cert and --tls-key go together", code=UNUSABLE)
        for file, option in (
            (self.tls_ca, "--tls-ca"),
            (self.tls_cert, "--tls-cert"),
            (self.tls_key, "--tls-key"),
        ):
            if file is not None and b"-----BEGIN" not in _read(file, option):
                raise failure(f"{option} {file}: is no PEM file", code=UNUSABLE)
        return Tls(ca=self.tls_ca, certificate=self.tls_cert, key=self.tls_key)


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "cannot be read"
        raise failure(f"{option} {file}: {reason}", code=UNUSABLE) from None
