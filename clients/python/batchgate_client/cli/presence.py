"""Whether the gateway is there while something long goes on."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from batchgate_client import Client


class PatientClient(Client):
    """A client that tells when a stream breaks off, and when it goes on.

    `on_change` is called with whether it is broken off now.
    """

    def __init__(
        self,
        *,
        on_change: Callable[[bool], None] = lambda _: None,
        **settings: Any,  # noqa: ANN401 - the client's own
    ) -> None:
        super().__init__(**settings)
        self._on_change = on_change
        self._away = False

    def pause(self, seconds: float) -> None:
        """Wait, since what was asked for could not be had."""
        self._change(away=True)
        time.sleep(seconds)

    def is_back(self) -> None:
        """An answer came."""
        self._change(away=False)

    def _sleep(self, seconds: float) -> None:
        self.pause(seconds)

    def _received(
        self, following: Callable[[], Any], *, timeout: float | None
    ) -> Generator[Any, None, None]:
        with closing(super()._received(following, timeout=timeout)) as messages:
            for message in messages:
                self.is_back()
                yield message

    def _change(self, *, away: bool) -> None:
        if away != self._away:
            self._away = away
            self._on_change(away)
