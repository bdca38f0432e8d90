"""Turns of the processes that serve one address: one at a time creates under a key.

A lock is a byte of a file that all of them have open, so that it ends with whoever holds it. Within
a process it does not part one from another.
"""

import asyncio
import fcntl
import os
import secrets
import sys
import tempfile
from hashlib import blake2b

from batchgate_server.call import current_call

PEPPER_BYTES = 32
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.01, 0.2


def shared_file() -> int:
    """The descriptor of a file for the turns; its content keeps the bytes from telling the keys."""
    if sys.platform == "linux":
        # In memory: there may be no place on disk where a gateway may write.
        descriptor = os.memfd_create("turns")
    else:
        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - a file without a name, as it is opened
    os.write(descriptor, secrets.token_bytes(PEPPER_BYTES))
    return descriptor


class Turns:
    """The turns of all who have a file open; without one there is nobody else."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._pepper = b"" if descriptor is None else os.pread(descriptor, PEPPER_BYTES, 0)

    def of(self, provider: str, key: str) -> "Turn":
        """The turn of the call at hand to create under a key."""
        own = current_call().provider_key
        parts = (provider, own.secret if own else "", key)
        digest = blake2b(key=self._pepper, digest_size=8)
        for part in parts:
            digest.update(blake2b(part.encode()).digest())
        return Turn(self._descriptor, int.from_bytes(digest.digest()) >> 2)


class Turn:
    """One turn."""

    def __init__(self, descriptor: int | None, byte: int) -> None:
        self._descriptor = descriptor
        self._byte = byte
        self._has_begun = False

    async def begin(self) -> None:
        """Wait until nobody else has it."""
        if self._descriptor is None:
            return
        pause = FIRST_PAUSE_SECONDS
        call = current_call()
        while True:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, self._byte)
            except (BlockingIOError, PermissionError):
                call.creating = "batch"
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                call.creating = ""
                self._has_begun = True
                return

    def end(self) -> None:
        """Let the next one have it."""
        if self._has_begun and self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, self._byte)
