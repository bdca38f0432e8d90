"""Options that several commands have, and what their values mean."""

import re
from typing import Annotated

import typer

from batchgate_client.cli.failures import UNUSABLE, failure

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)([smhd]?)")

Limit = Annotated[
    int, typer.Option(min=0, metavar="N", help="At most so many; 0: all that there are.")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Replace the file that is there.", show_default=False),
]
ExpiresAfter = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When the provider deletes the file: 14d, 36h, or seconds.",
        show_default=False,
    ),
]
OutputExpiresAfter = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When the provider deletes the batch's output: 14d, 36h, or seconds.",
        show_default=False,
    ),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE", help="A label of the batch; may be repeated.", show_default=False
    ),
]
Window = Annotated[
    str,
    typer.Option(
        metavar="TIME",
        help="How long the batch may take. Default: 24h, the only one known.",
        show_default=False,
    ),
]
RequestId = Annotated[
    str,
    typer.Option(
        metavar="ID",
        help="The same command with the same id gives the same batch. Default: a new one.",
        show_default=False,
    ),
]
Wait = Annotated[
    bool,
    typer.Option("--wait", help="Until the batch has ended.", show_default=False),
]
BatchId = Annotated[str, typer.Argument(metavar="BATCH_ID", help="The provider's id of the batch.")]


def seconds(given: str | None, option: str) -> int | None:
    """The seconds that a text such as `14d` means."""
    if given is None:
        return None
    found = _DURATION.fullmatch(given.strip())
    if not found:
        raise failure(f"{option} is as 14d, 36h, 90m, or seconds, not {given!r}", code=UNUSABLE)
    return int(found[1]) * SECONDS[found[2] or "s"]


def labels(given: list[str] | None) -> dict[str, str]:
    """The pairs of `KEY=VALUE` texts."""
    pairs: dict[str, str] = {}
    for text in given or ():
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise failure(f"--metadata is KEY=VALUE, not {text!r}", code=UNUSABLE)
        if key in pairs:
            raise failure(f"--metadata {key} is given twice", code=UNUSABLE)
        pairs[key] = value
    return pairs
