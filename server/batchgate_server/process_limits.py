"""What the system lets this process do, set once at its start."""

import resource
from contextlib import suppress


def set_process_limits() -> None:
    """Take as many open files as are allowed, and leave no core dump, which would have the keys."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems say "any number" and mean another one.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    _, core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, core))
