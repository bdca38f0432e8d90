"""What a supervisor and its workers tell each other, over a socket that only they have.

Settings travel with their secrets, which so are in no file, argument or variable: pickled, since
both ends are this same program.
"""

import asyncio
import pickle
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from batchgate_server.settings import ConfigurationError, Problem, Settings

_SIZE = struct.Struct("!I")


class WorkersFailedError(Exception):
    """Workers did not start, or did not end well."""


@dataclass(frozen=True, slots=True)
class Start:
    """The first word to a worker: serve."""

    number: int
    """From 1."""
    address: str
    """Where all workers listen, with the real port."""
    settings: Settings
    turns: int
    """The descriptor of a file by which the workers take turns."""


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration was read again."""

    settings: Settings | None
    problems: Sequence[Problem] = ()
    """What is wrong with it, where there are no settings."""

    def outcome(self) -> Settings:
        """The settings.

        Raises:
            ConfigurationError: there are none.
        """
        if self.settings is None:
            raise ConfigurationError(self.problems)
        return self.settings


@dataclass(frozen=True, slots=True)
class Stop:
    """Drain and end. The end of the supervisor means the same."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell how you are: answered by `Told`, in turn."""


@dataclass(frozen=True, slots=True)
class Told:
    """How a worker is."""

    state: object
    """A `ProcessState`, of a module that is imported only where there is an admin listener."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker serves."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker could not start; it has ended or is about to."""

    problems: Sequence[Problem] = ()
    """What is wrong with the configuration."""
    number: int = 0
    """The system's error number, where it is no problem of the configuration."""
    message: str = ""

    def error(self) -> ConfigurationError | OSError:
        """What was raised in the worker."""
        if self.problems:
            return ConfigurationError(self.problems)
        return OSError(self.number, self.message) if self.number else OSError(self.message)


Message: TypeAlias = Start | Reload | Stop | Ask | Told | Ready | Failed


def packed(message: Message) -> bytes:
    """A message as it travels."""
    content = pickle.dumps(message)
    return _SIZE.pack(len(content)) + content


async def received(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None if the other end is gone."""
    try:
        (size,) = _SIZE.unpack(await reader.readexactly(_SIZE.size))
        return _read(await reader.readexactly(size))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def receive(control: socket.socket) -> Message | None:
    """The same, of a socket that blocks."""
    with control.makefile("rb", buffering=0) as stream:
        head = stream.read(_SIZE.size)
        if not head:
            return None
        (size,) = _SIZE.unpack(head)
        content = b""
        while len(content) < size:
            piece = stream.read(size - len(content))
            if not piece:
                return None
            content += piece
        return _read(content)


def _read(content: bytes) -> Message:
    message: Message = pickle.loads(content)  # noqa: S301 - of our own process
    return message
