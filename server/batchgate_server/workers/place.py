"""A worker's end: what it is told, and what it tells."""

import asyncio
import socket
from collections.abc import Callable

from batchgate_server.settings import Settings
from batchgate_server.workers.messages import Message, Reload, Start, packed, received


class Place:
    """A worker's place among several."""

    def __init__(self, control: socket.socket, start: Start) -> None:
        self._control = control
        self._reload = Reload(start.settings)
        self.number = start.number
        self.address = start.address

    def load(self) -> Settings:
        """The configuration as the supervisor has read it last; raises as reading it does."""
        return self._reload.outcome()

    def tell(self, message: Message) -> None:
        """Send a word to the supervisor, if it is still there."""
        try:
            self._control.sendall(packed(message))
        except ConnectionError:
            # Its end is seen where its words are awaited.
            return

    async def obey(self, *, reload: Callable[[], None], stop: Callable[[], None]) -> None:
        """Do what the supervisor says, until it says stop or is gone."""
        reader, writer = await asyncio.open_connection(sock=self._control.dup())
        try:
            while isinstance(message := await received(reader), Reload):
                self._reload = message
                reload()
            stop()
        finally:
            writer.close()
