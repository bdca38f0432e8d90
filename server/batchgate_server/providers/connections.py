"""The connections of a profile: whom they trust, as whom they call, and through which proxy."""

import ssl
import time
from collections.abc import Callable

import httpx
import structlog

from batchgate_server.rest.transport import open_transport
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile
from batchgate_server.settings.addresses import check_proxy_url
from batchgate_server.settings.followed import Followed
from batchgate_server.settings.secret_files import SecretSource
from batchgate_server.settings.tls_files import load_ca, load_certificate

Profile = OpenAIProfile | AzureOpenAIProfile
log = structlog.stdlib.get_logger()


def profile_transport(profile: Profile) -> httpx.AsyncBaseTransport:
    """The connections of one profile, to its provider."""
    return open_transport(
        verify=tls(profile),
        proxy=proxy(profile),
        max_connections=profile.max_connections,
        max_waiting=profile.max_waiting,
    )


def proxy_source(profile: Profile) -> SecretSource | None:
    """The profile's proxy, as its file has it now."""
    return (
        SecretSource(profile.proxy_url, check=check_proxy_url)
        if profile.proxy_url is not None
        else None
    )


def proxy(profile: Profile) -> Callable[[], str] | None:
    """What gives the URL of the profile's proxy."""
    source = proxy_source(profile)
    return source.current if source else None


def tls(profile: Profile) -> Callable[[], ssl.SSLContext]:
    """What gives the TLS settings of the next connection."""
    if profile.ca_file or profile.client_certificate_file:
        return RenewedTls(profile).current
    context = USUAL_TLS.current()
    return lambda: context


class UsualTls:
    """The usual authorities, read once for many profiles: that takes tens of milliseconds."""

    def __init__(self) -> None:
        self._context: ssl.SSLContext | None = None

    def read(self) -> None:
        """Read them anew, for what is opened from now on; may be done in a thread."""
        self._context = httpx.create_ssl_context()

    def current(self) -> ssl.SSLContext:
        """As they were read last."""
        if self._context is None:
            self._context = httpx.create_ssl_context()
        return self._context


USUAL_TLS = UsualTls()


class RenewedTls:
    """TLS settings out of files: made anew when one of the files has changed."""

    def __init__(self, profile: Profile, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._profile = profile
        files = (profile.ca_file, profile.client_certificate_file, profile.client_key_file)
        self._files = Followed([path for path in files if path], clock=clock)
        self._context = _context(profile)

    def current(self) -> ssl.SSLContext:
        """The settings; the files are looked at once a second at most."""
        if self._files.is_due() and self._files.have_changed():
            self._renew()
        return self._context

    def _renew(self) -> None:
        try:
            self._context = _context(self._profile)
        except ValueError as problem:
            # A rotation may be half done: the certificate is there, and its key not yet.
            log.warning("TLS files not renewed", provider=self._profile.name, problem=str(problem))
        else:
            log.info("TLS files renewed", provider=self._profile.name)


def _context(profile: Profile) -> ssl.SSLContext:
    if profile.ca_file:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        load_ca(context, profile.ca_file)
    else:
        context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if profile.client_certificate_file:
        load_certificate(context, profile.client_certificate_file, profile.client_key_file)
    return context
