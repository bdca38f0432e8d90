"""Who calls: found by the token or the certificate that a call shows."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from hmac import compare_digest
from typing import TypeAlias

from batchgate_server.callers.caller import ANONYMOUS, Caller, Operation
from batchgate_server.callers.certificates import AlternativeName
from batchgate_server.callers.tokens import digest
from batchgate_server.errors import CallerUnauthenticated
from batchgate_server.settings import NAMED_ALWAYS, CallerSettings

HEADER = "authorization"
SCHEME = "bearer"
USUAL = frozenset(Operation) - {Operation(name) for name in NAMED_ALWAYS}
# Names of a certificate that an error repeats to the one who showed it.
MAX_NAMES = 3
SHOWN = 100
# What a caller is known by: the digest of a token, the names of a certificate, or nothing.
Credential: TypeAlias = str | tuple[AlternativeName, ...] | None


class Directory:
    """The callers of a configuration. Without any, everybody is the anonymous one."""

    def __init__(self, callers: Mapping[str, CallerSettings]) -> None:
        self._callers = {name: _caller(settings) for name, settings in callers.items()}
        self._key = secrets.token_bytes(32)
        self._tokens = {
            self._mark(token): (token, self._callers[name])
            for name, settings in callers.items()
            for token in settings.token_sha256
        }
        self._names = {
            AlternativeName("uri" if "://" in san else "dns", san): self._callers[name]
            for name, settings in callers.items()
            for san in settings.san
        }

    def named(self, name: str) -> Caller | None:
        """The caller of this name; the anonymous one has none, and is known where no others are."""
        return self._callers.get(name) if self._callers or name else ANONYMOUS

    def holder(self, credential: Credential) -> Caller | None:
        """Whom this credential stands for now, if for anybody."""
        try:
            return self._holder(credential)
        except CallerUnauthenticated:
            return None

    def identify(
        self,
        metadata: Iterable[tuple[str, str | bytes]],
        certificate: Callable[[], Iterable[AlternativeName]],
    ) -> tuple[Caller, Credential]:
        """The caller with this token, or without a token the one with this certificate.

        Raises:
            CallerUnauthenticated: it shows neither, or one that is not known.
        """
        credential = self._credential(metadata, certificate)
        return self._holder(credential), credential

    def _credential(
        self,
        metadata: Iterable[tuple[str, str | bytes]],
        certificate: Callable[[], Iterable[AlternativeName]],
    ) -> Credential:
        """What of this counts."""
        if not self._callers:
            return None
        shown = [value for key, value in metadata if key == HEADER]
        if shown:
            return digest(_token(shown))
        return (tuple(certificate()) or None) if self._names else None

    def _holder(self, credential: Credential) -> Caller:
        if not self._callers:
            return ANONYMOUS
        if isinstance(credential, str):
            return self._by_token(credential)
        if self._names and credential:
            return self._by_name(credential)
        also = ", or a client certificate that is known here" if self._names else ""
        raise CallerUnauthenticated(
            f"the gateway has to know who calls: send the metadata `{HEADER}: Bearer TOKEN`{also}"
        )

    def _by_token(self, shown: str) -> Caller:
        # Found by a keyed hash of a hash: how long it takes tells nothing of the tokens that exist.
        known, caller = self._tokens.get(self._mark(shown), ("", ANONYMOUS))
        if not compare_digest(known, shown):
            raise CallerUnauthenticated("no caller is known by this token")
        return caller

    def _by_name(self, names: Sequence[AlternativeName]) -> Caller:
        found = {caller.name: caller for name in names if (caller := self._names.get(name))}
        if len(found) == 1:
            return next(iter(found.values()))
        said = ", ".join(name.value[:SHOWN] for name in names[:MAX_NAMES])
        which = "several callers are" if found else "no caller is"
        raise CallerUnauthenticated(f"{which} known by this certificate, which names {said}")

    def _mark(self, token_digest: str) -> bytes:
        return hashlib.blake2b(token_digest.encode(), key=self._key, digest_size=16).digest()


def _token(shown: list[str | bytes]) -> str:
    if len(shown) > 1:
        raise CallerUnauthenticated(f"send the metadata `{HEADER}` once, not {len(shown)} times")
    scheme, _, token = str(shown[0]).partition(" ")
    if scheme.lower() != SCHEME or not token:
        raise CallerUnauthenticated(f"the metadata `{HEADER}` must have the form `Bearer TOKEN`")
    return token


def _caller(settings: CallerSettings) -> Caller:
    return Caller(
        name=settings.name,
        allow=USUAL if settings.allow is None else frozenset(map(Operation, settings.allow)),
        providers=settings.providers,
        default_provider=settings.default_provider,
        models=settings.models,
        max_upload_bytes=settings.max_upload_bytes,
    )
