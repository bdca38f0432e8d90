"""The command line: one file for each command."""

from batchgate_client.cli.importing import uncollected

with uncollected():
    from batchgate_client.cli.program import main

__all__ = ["main"]
