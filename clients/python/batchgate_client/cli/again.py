"""How a command is taken up again: the line to type."""

import os
import shlex
from dataclasses import fields

from batchgate_client.cli.connection import Connection

# A secret is not shown; and what was answered as JSON may be wanted otherwise.
UNSAID = {"token", "json"}


def command(connection: Connection, *words: object) -> str:
    """`batchgate WORDS`, with the options that lead to the same gateway."""
    line = ["batchgate", *map(str, words)]
    for one in fields(connection):
        value = getattr(connection, one.name)
        known = os.environ.get(f"BATCHGATE_{one.name.upper()}")
        if one.name in UNSAID or value == one.default or str(value) == known:
            continue
        option = f"--{one.name.replace('_', '-')}"
        line += [option] if value is True else [option, str(value)]
    return shlex.join(line)
