"""Whether the gateway is there while something long goes on."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from batchgate_client import BatchgateError, Client

BROKEN_OFF = "the connection broke off"


class PatientClient(Client):
    """A client that tells when it has to wait, and when it goes on.

    `on_change` is called with what it waits for, and with nothing when it goes on.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[str], None] = lambda _: None,
        **settings: Any,  # noqa: ANN401 - the client's own
    ) -> None:
        super().__init__(**settings)
        self._on_change = on_change
        self._why = ""

    def pause(self, seconds: float, *, why: str = BROKEN_OFF) -> None:
        """Wait, since what was asked for could not be had."""
        self._change(why)
        time.sleep(seconds)

    def is_back(self) -> None:
        """An answer came."""
        self._change("")

    def _pause(self, seconds: float, error: BatchgateError) -> None:
        self.pause(seconds, why=error.reason or BROKEN_OFF)

    def _received(
        self, following: Callable[[], Any], *, timeout: float | None
    ) -> Generator[Any, None, None]:
        with closing(super()._received(following, timeout=timeout)) as messages:
            for message in messages:
                self.is_back()
                yield message

    def _change(self, why: str) -> None:
        if why != self._why:
            self._why = why
            self._on_change(why)
