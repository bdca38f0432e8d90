"""What a command answers: tables for people, JSON with the contract's own names for programs.

The answer goes to the standard output; what happens meanwhile, to the standard error. Neither has
colours unless it is a terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from batchgate_client.cli.standard_output import names_if_lost
from batchgate_client.cli.wording import printable, value_text

if TYPE_CHECKING:
    from google.protobuf.message import Message

# Wide enough that nothing is folded where nobody looks.
UNBOUNDED = 100_000


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's answer goes."""

    as_json: bool

    def item(self, message: "Message") -> None:
        """One message: a line for each field, or one JSON object."""
        if self.as_json:
            self.raw(json_text(message))
        else:
            self.facts(facts_of(message))

    def created(self, what: str, id_: str, message: "Message") -> None:
        """As `item`, for something new and perhaps paid: its id is never lost."""
        with names_if_lost(what, id_):
            self.item(message)

    def items(
        self,
        messages: Iterable["Message"],
        columns: Sequence[str],
        *,
        limit: int = 0,
        nothing: str = "none",
    ) -> None:
        """Many messages: a table of these fields (dots lead into messages), or JSON lines.

        Of more than `limit` only so many, and a word that there are more.
        """
        rest = iter(messages)
        found = islice(rest, limit or None)
        if self.as_json:
            for message in found:
                self.raw(json_text(message))
        elif rows := [[_field_text(one, column) for column in columns] for one in found]:
            _print_rows([column.rpartition(".")[2] for column in columns], rows)
        else:
            self.note(nothing)
        if limit and next(rest, None) is not None:
            typer.echo(f"{limit:,} shown; more with --limit", err=True)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names and values, a line each."""
        _print(_fact_table(facts))

    def raw(self, line: str) -> None:
        """A line of JSON."""
        sys.stdout.write(line + "\n")

    def done(self, facts: dict[str, object], text: str) -> None:
        """What was done: a JSON object, or a line for people."""
        if self.as_json:
            self.raw(json.dumps(facts, ensure_ascii=False))
        else:
            typer.echo(text)

    def note(self, text: str) -> None:
        """A word for people, which is no part of the answer."""
        if not self.as_json:
            typer.echo(text, err=True)


def json_text(message: "Message") -> str:
    """A message as one line of protobuf's JSON, with all fields but those that can be unset."""
    # Here, since protobuf is slow to import.
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415

    return MessageToJson(
        message,
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
        ensure_ascii=False,
        indent=None,
    )


def facts_of(message: "Message", *, prefix: str = "") -> list[tuple[str, str]]:
    """The fields that are set, by name; those of a message in it with its name before theirs."""
    found: list[tuple[str, str]] = []
    known = {field.name for field, _ in message.ListFields()}
    for field, value in message.ListFields():
        name = f"{prefix}{field.name}"
        # The provider's own word is beside it.
        if f"{field.name}_text" in known:
            continue
        values = value if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        if field.message_type is None or field.message_type.full_name.startswith("google."):
            found += [(name, value_text(field, one)) for one in values]
        elif field.message_type.GetOptions().map_entry:
            found += [(f"{name}.{printable(key)}", printable(text)) for key, text in value.items()]
        else:
            for one in values:
                found += facts_of(one, prefix=f"{name}.")
    return found


def _field_text(message: "Message", path: str) -> str:
    name, _, rest = path.partition(".")
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    if field.message_type is not None and not message.HasField(name):
        return ""
    if rest:
        return _field_text(getattr(message, name), rest)
    return value_text(field, getattr(message, name))


def _print_rows(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; where a terminal is too narrow for its lines, a block for each row.

    So ids, which are there to be copied, stand whole on a line.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    unbounded = console.options.update(width=UNBOUNDED)
    width = Measurement.get(console, unbounded, table).maximum
    if not console.is_terminal or width <= console.width:
        _print(table)
        return
    for row in rows:
        if row is not rows[0]:
            sys.stdout.write("\n")
        _print(_fact_table((name, text) for name, text in zip(names, row, strict=True) if text))


def _fact_table(facts: Iterable[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column()
    for name, text in facts:
        table.add_row(name, Text(text))
    return table


def _print(table: Table) -> None:
    """Never folded: a terminal breaks a line without breaking what is copied from it."""
    console = Console(highlight=False, width=UNBOUNDED)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
