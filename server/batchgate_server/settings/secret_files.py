"""Secrets in files, which change while the gateway runs: keys rotate, Kubernetes swaps mounts."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from pydantic import SecretStr

from batchgate_server.settings.credentials import FileSecret, check_secret, read_secret, stamp

# Between two looks at a file.
LOOK_SECONDS = 1.0
# How many values of the past are still taken out of messages: a provider may quote one late.
REMEMBERED = 3
log = structlog.stdlib.get_logger()


class SecretSource:
    """A secret as it is now: one from a file follows the file, any other stays."""

    def __init__(
        self,
        secret: SecretStr,
        *,
        check: Callable[[SecretStr], SecretStr] = check_secret,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = secret.path if isinstance(secret, FileSecret) else None
        self._stamp = secret.stamp if isinstance(secret, FileSecret) else None
        self._check = check
        self._clock = clock
        self._look_at = clock() + LOOK_SECONDS
        self._known = [secret.get_secret_value()]

    def current(self) -> str:
        """The secret; its file is looked at once a second at most."""
        if self._path is not None and (now := self._clock()) >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._look(self._path)
        return self._known[-1]

    def newest(self) -> str:
        """The secret, after a look at its file in any case."""
        self._look_at = 0.0
        return self.current()

    def known(self) -> Sequence[str]:
        """The secret, and those that it was before."""
        return self._known

    def _look(self, path: Path) -> None:
        seen = stamp(path)
        if seen == self._stamp:
            return
        # Noted before it is read: a change in between is then seen the next time.
        self._stamp = seen
        try:
            value = self._check(read_secret(path)).get_secret_value()
        except ValueError as problem:
            # Once for each state of the file; a rotation may be half done.
            log.warning("secret not renewed", problem=str(problem))
            return
        if value != self._known[-1]:
            self._known = [*self._known[-REMEMBERED:], value]
            log.info("secret renewed", file=os.fspath(path))
