"""How a command fails: clear lines on the standard error, and an exit code that tells which."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

FAILED = 1
"""It went wrong on the way."""
UNUSABLE = 2
"""It cannot be carried out as given: arguments, files, configuration, address, a missing extra."""
ROWS_FAILED = 3
"""The batch was completed, but not all of its rows succeeded."""
BATCH_FAILED = 4
"""The batch failed, expired or was cancelled."""
NOT_STARTED = 5
"""There is no batch yet, and nothing wrong with what was given: it can be tried again."""
INTERRUPTED = 128 + signal.SIGINT


def failure(message: str, *, code: int) -> typer.Exit:
    """Say `message`; raise the result to end the command."""
    typer.echo(f"batchgate: {message}", err=True)
    return typer.Exit(code)


@contextmanager
def server_extra() -> Iterator[None]:
    """Around imports of the server or the sandbox, which need more than the client does."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("batchgate"):
            raise  # Our own modules are always there; a missing one is a defect.
        message = f"{missing.name} is not installed; try: pip install 'batchgate[server]'"
        raise failure(message, code=UNUSABLE) from None


def cannot_listen(address: str, error: OSError) -> typer.Exit:
    """The failure of a listener; gRPC does not say why, the operating system does."""
    # Not the error's own text: asyncio appends to it what is said here already.
    reason = os.strerror(error.errno) if error.errno else "in use, or no address of this machine"
    message = f"cannot listen on {address}: {reason}; choose another with --listen"
    return failure(message, code=UNUSABLE)


def file_failure(error: OSError, *, code: int = UNUSABLE) -> typer.Exit:
    """The failure of a file that was named."""
    return failure(f"{error.filename}: {error.strerror}", code=code)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt as SIGINT does: by itself it would end the program without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
