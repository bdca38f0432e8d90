"""What a command answers: tables for people, JSON with the contract's own names for programs.

The answer goes to the standard output; what happens meanwhile, to the standard error. Neither has
colours unless it is a terminal.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
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
        self, messages: Iterable["Message"], columns: Sequence[str], *, nothing: str = "none"
    ) -> None:
        """Many messages: a table of these fields (dots lead into messages), or JSON lines."""
        if self.as_json:
            for message in messages:
                self.raw(json_text(message))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # A narrow terminal folds a text rather than to cut it off: ids are there to be copied.
            table.add_column(column.rpartition(".")[2], overflow="fold")
        for message in messages:
            table.add_row(*(Text(_field_text(message, column)) for column in columns))
        if table.row_count:
            _print(table)
        else:
            self.note(nothing)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names and values, a line each."""
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in facts:
            table.add_row(name, Text(text))
        _print(table)

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


def _print(table: Table) -> None:
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table)
        return
    console.width = UNBOUNDED
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")
