"""Secrets as they are now: those in files are followed."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from pydantic import SecretStr

from batchgate_server.settings.credentials import FileSecret, check_secret, read_secret
from batchgate_server.settings.followed import Followed

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
        self._check = check
        self._path = secret.path if isinstance(secret, FileSecret) else None
        if isinstance(secret, FileSecret):
            self._file = Followed([secret.path], stamps=[secret.stamp], clock=clock)
        self._known = [secret.get_secret_value()]

    def current(self) -> str:
        """The secret; its file is looked at once a second at most."""
        if self._path is not None and self._file.is_due():
            self._look(self._path)
        return self._known[-1]

    def newest(self) -> str:
        """The secret, after a look at its file in any case."""
        if self._path is not None:
            self._look(self._path)
        return self._known[-1]

    def known(self) -> Sequence[str]:
        """The secret, and those that it was before."""
        return self._known

    def _look(self, path: Path) -> None:
        if not self._file.have_changed():
            return
        try:
            value = self._check(read_secret(path)).get_secret_value()
        except ValueError as problem:
            # Once for each state of the file; a rotation may be half done.
            log.warning("secret not renewed", problem=str(problem))
            return
        if value != self._known[-1]:
            self._known = [*self._known[-REMEMBERED:], value]
            log.info("secret renewed", file=os.fspath(path))
