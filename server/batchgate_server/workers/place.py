"""A worker's end: what it is told, and what it tells."""

import asyncio
import socket
from collections.abc import Callable

from batchgate_server.settings import Settings
from batchgate_server.workers.messages import Ask, Message, Reload, Start, Told, packed, received


class Place:
    """A worker's place among several."""

    def __init__(self, control: socket.socket, start: Start) -> None:
        self._control = control
        self._reload = Reload(start.settings)
        self.number = start.number
        self.address = start.address
        self.turns = start.turns

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

    async def obey(
        self,
        *,
        reload: Callable[[], None],
        stop: Callable[[], None],
        state: Callable[[], object],
    ) -> None:
        """Do what the supervisor says, until cancelled; what `state` gives is told when asked for.

        That the supervisor is gone means the same as its word to stop.
        """
        reader, writer = await asyncio.open_connection(sock=self._control.dup())
        try:
            while message := await received(reader):
                match message:
                    case Reload():
                        self._reload = message
                        reload()
                    case Ask():
                        writer.write(packed(Told(state())))
                        await writer.drain()
                    case _:
                        stop()
            stop()
        finally:
            writer.close()
