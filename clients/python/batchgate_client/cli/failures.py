"""How a command fails: one clear line on the standard error, and an exit code that tells which.

2 means that the command cannot be carried out as given (arguments, configuration, address, a
missing extra); 1 that it went wrong on the way.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer


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
        raise failure(message, code=2) from None


def cannot_listen(address: str, error: OSError) -> typer.Exit:
    """The failure of a listener; gRPC does not say why, the operating system does."""
    # Not the error's own text: asyncio appends to it what is said here already.
    reason = os.strerror(error.errno) if error.errno else "in use, or no address of this machine"
    return failure(f"cannot listen on {address}: {reason}; choose another with --listen", code=2)
