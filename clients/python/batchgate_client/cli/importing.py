"""How the program imports what it needs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Around imports: they make many objects and little garbage, and looking for it takes long.

    What is there at the end stays, so that no later round of the collector looks through it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
