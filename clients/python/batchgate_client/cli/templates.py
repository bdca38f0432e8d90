"""Prompts made of a table: a template with the names of columns in braces."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from batchgate_client.cli.failures import UNUSABLE, failure, file_failure

# `{{` and `}}` are braces, `{name}` is a column's value; other braces are a mistake.
PLACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# Python takes 131,072 characters unless it is told; prompts may be longer.
LONGEST_CELL = 2**31 - 1
CHAT = "/v1/chat/completions"


def _chat(prompt: str, system: str) -> dict[str, Any]:
    said = [{"role": "system", "content": system}] if system else []
    return {"messages": [*said, {"role": "user", "content": prompt}]}


def _response(prompt: str, system: str) -> dict[str, Any]:
    return {"input": prompt, **({"instructions": system} if system else {})}


# What carries the prompt, by the endpoint without `/v1`.
BODIES: dict[str, Callable[[str, str], dict[str, Any]]] = {
    "/chat/completions": _chat,
    "/responses": _response,
    "/embeddings": lambda prompt, _: {"input": prompt},
    "/moderations": lambda prompt, _: {"input": prompt},
    "/completions": lambda prompt, _: {"prompt": prompt},
}


def csv_rows(
    path: Path,
    *,
    column: str,
    template: str,
    id_column: str,
    endpoint: str,
    system: str,
    delimiter: str,
) -> Iterator[dict[str, Any]]:
    """The rows of a CSV file with a header as rows of a batch.

    The prompt is `template`, or the value of `column` alone. A row's `custom_id` is the value of
    `id_column`, or `row-1`, `row-2` and so on.

    Raises:
        typer.Exit: the file, a column, a place of the template or a line is not as it should be.
    """
    make = BODIES.get(endpoint.removeprefix("/v1"))
    if make is None:
        known = ", ".join(f"/v1{name}" for name in BODIES)
        raise failure(f"--csv makes bodies for {known}, not for {endpoint}", code=UNUSABLE)
    csv.field_size_limit(LONGEST_CELL)
    try:
        # With the byte order mark that spreadsheets write.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=delimiter, strict=True)
            header = next(reader, [])
            for name, option in ((column, "--column"), (id_column, "--id-column")):
                if name:
                    _find(name, header, f"{option}: {path}")
            render = _template(template or f"{{{column}}}", header, path)
            for number, values in enumerate(_whole(reader, header, path), start=1):
                row = dict(zip(header, values, strict=True))
                custom_id = row[id_column] if id_column else f"row-{number}"
                if not custom_id:
                    where = f"{path}:{reader.line_num}"
                    raise failure(f"{where}: has no id in {id_column!r}", code=UNUSABLE)
                yield {"custom_id": custom_id, "body": make(render(row), system)}
    except OSError as error:
        raise file_failure(error) from None
    except UnicodeDecodeError:
        raise failure(f"{path}: is not UTF-8; save it as such", code=UNUSABLE) from None
    except csv.Error as error:
        raise failure(f"{path}: is no CSV: {error}", code=UNUSABLE) from None


def _whole(reader: Any, header: Sequence[str], path: Path) -> Iterator[list[str]]:  # noqa: ANN401 - csv's reader has no public type
    """The lines that are not empty; each has as many values as there are columns."""
    for values in reader:
        if values and len(values) != len(header):
            raise failure(
                f"{path}:{reader.line_num}: has {len(values)} values for {len(header)} columns; "
                "is --delimiter right?",
                code=UNUSABLE,
            )
        if values:
            yield values


def _template(template: str, header: Sequence[str], path: Path) -> Callable[[dict[str, str]], str]:
    """What fills the template in, once all its places are known to be columns."""
    for place in PLACE.finditer(template):
        if place[1] is not None:
            _find(place[1], header, f"--template: {path}")
        elif place[0] not in ("{{", "}}"):
            raise failure(
                f"--template: a brace stands alone at {place.start() + 1}; write {place[0] * 2} "
                "for one that is meant",
                code=UNUSABLE,
            )

    def render(row: dict[str, str]) -> str:
        return PLACE.sub(lambda place: place[0][0] if place[1] is None else row[place[1]], template)

    return render


def _find(name: str, header: Sequence[str], where: str) -> None:
    if name in header:
        return
    near = get_close_matches(name, header, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise failure(
        f"{where} has no column {name!r}{hint} It has: {', '.join(header) or 'none'}",
        code=UNUSABLE,
    )
