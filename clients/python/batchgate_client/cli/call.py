"""A command that calls a gateway: its own parameters, and those of the connection."""

import functools
import inspect
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, get_type_hints

from batchgate_client.cli.connection import Connection
from batchgate_client.cli.failures import INTERRUPTED, UNUSABLE, failure, interruptible
from batchgate_client.cli.output import Output
from batchgate_client.cli.progress import Steps

FIELDS = fields(Connection)
P = ParamSpec("P")
# Pairs that a batch may have, one of which a request id takes.
MOST_LABELS = 16


if TYPE_CHECKING:
    from batchgate_client.cli.presence import PatientClient


@dataclass(frozen=True, slots=True)
class Call:
    """One run of such a command: whom it calls, and where its answer goes."""

    connection: Connection
    output: Output

    def steps(self) -> Steps:
        """What tells how far it is."""
        return Steps()

    @contextmanager
    def creating(
        self, request_id: str, labels: Mapping[str, str]
    ) -> Iterator[tuple["PatientClient", str]]:
        """A client, and the id under which something is created.

        Where it is not known whether there is a batch now, the id is told: with it the same command
        is safe to repeat.
        """
        id_ = request_id or ("" if len(labels) >= MOST_LABELS else uuid.uuid4().hex)
        hint = f"  to be safe, repeat the command with --request-id {id_}" if id_ else ""
        with self.connection.client(unclear=hint) as client:
            try:
                yield client, id_
            except KeyboardInterrupt:
                lines = ["interrupted; there may be a batch now", *filter(None, [hint])]
                raise failure("\n".join(lines), code=INTERRUPTED) from None


def calls(command: Callable[Concatenate[Call, P], None]) -> Callable[..., None]:
    """Make a command of a function whose first parameter is a `Call`.

    Typer sees the function's other parameters and the options of `Connection`.
    """
    own = list(inspect.signature(command).parameters.values())[1:]
    hints = get_type_hints(Connection, include_extras=True)
    shared = [
        inspect.Parameter(
            one.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=one.default,
            annotation=hints[one.name],
        )
        for one in FIELDS
    ]

    @functools.wraps(command)
    def run(**given: Any) -> None:  # noqa: ANN401 - whatever Typer parsed
        given = {name: _decoded(name, one) for name, one in given.items()}
        connection = Connection(**{one.name: given.pop(one.name) for one in FIELDS})
        call = Call(connection, Output(as_json=connection.json))
        # Typer has parsed them by the very signature of the command.
        carry_out: Callable[..., None] = functools.partial(command, call)
        try:
            with interruptible():
                carry_out(**given)
        except KeyboardInterrupt:
            raise failure("interrupted", code=INTERRUPTED) from None

    run.__annotations__ = {one.name: one.annotation for one in (*own, *shared)}
    run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
    return run


def _decoded(name: str, given: Any) -> Any:  # noqa: ANN401 - whatever Typer parsed
    """Texts that the environment's encoding could not read, as the UTF-8 that they are.

    Paths stay as they are: so they name their files.
    """
    if isinstance(given, list):
        return [_decoded(name, one) for one in given]
    if type(given) is not str:
        return given
    try:
        return given.encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError:
        # Not the text itself, which may be a token.
        raise failure(f"{name.replace('_', '-')}: is not UTF-8", code=UNUSABLE) from None
