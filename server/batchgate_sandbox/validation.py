"""The check of an input file, which a batch goes through first."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from batchgate_sandbox.batch import Problem
from batchgate_sandbox.directives import MISSING_MODEL
from batchgate_sandbox.flavours.openai import OpenAI

# The check stops here: nobody reads more.
MOST_PROBLEMS = 100
_REQUIRED = ("custom_id", "method", "url", "body")
Json = dict[str, Any]


@dataclass(slots=True)
class Checked:
    """What the check found: no problems means that the batch goes on."""

    total: int = 0
    model: str | None = None
    problems: list[Problem] = field(default_factory=list)


def check(file: BinaryIO, *, endpoint: str, flavour: OpenAI, max_tasks: int) -> Checked:
    """Read the whole file, line by line, and say what is wrong with it."""
    if file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8:
        return Checked(problems=[flavour.byte_order_mark()])
    file.seek(0)
    lines = _Lines(endpoint, flavour)
    found = lines.found
    for number, raw in numbered(file):
        found.total += 1
        if found.total > max_tasks:
            message = f"The batch has more requests than the {max_tasks} allowed."
            found.problems.append(Problem("too_many_tasks", message))
            break
        found.problems += lines.problems(number, raw)
        if len(found.problems) >= MOST_PROBLEMS:
            break
    if not found.total:
        found.problems.append(Problem("empty_file", "The input file has no requests."))
    return found


def numbered(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers from 1 on."""
    for number, line in enumerate(file, start=1):
        stripped = line.strip(b" \t\r\n")
        if stripped:
            yield number, stripped


def parse(raw: bytes) -> Any:  # noqa: ANN401 - JSON is any value
    """The JSON of one line.

    Raises:
        ValueError: It is none, or not UTF-8.
    """
    return json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Lines:
    """The check of one line after the other, and what must hold between them."""

    def __init__(self, endpoint: str, flavour: OpenAI) -> None:
        self.found = Checked()
        self._endpoint = endpoint
        self._flavour = flavour
        self._seen: set[str] = set()
        self._first_model: str | None = None

    def problems(self, number: int, raw: bytes) -> Iterator[Problem]:
        """What is wrong with one line."""
        try:
            line = parse(raw)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            message = "This line is not parseable as valid JSON."
            yield Problem("invalid_json_line", message, line=number)
            return
        missing = [name for name in _REQUIRED if name not in line]
        if not missing and (not isinstance(line["custom_id"], str) or not line["custom_id"]):
            missing = ["custom_id"]
        for name in missing:
            yield _missing(name, number)
        if not missing:
            yield from self._members(number, line)
            yield from self._model(number, line["body"])

    def _members(self, number: int, line: Json) -> Iterator[Problem]:
        if line["method"] != "POST":
            yield Problem("invalid_method", "The method must be POST.", "method", number)
        url = line["url"]
        if not isinstance(url, str) or not self._flavour.same_url(url, self._endpoint):
            message = f"The provided URL does not match the batch endpoint {self._endpoint}."
            yield Problem("url_mismatch", message, "url", number)
        custom_id = line["custom_id"]
        if custom_id in self._seen:
            message = f"The custom_id '{_shown(custom_id)}' is duplicated in the input file."
            yield Problem("duplicate_custom_id", message, "custom_id", number)
        self._seen.add(custom_id)

    def _model(self, number: int, body: object) -> Iterator[Problem]:
        found = self.found
        members: Json = body if isinstance(body, dict) else {"model": None}
        model = members.get("model")
        if not isinstance(model, str) or not model:
            if "model" in members or self._flavour.model_required(self._endpoint, members):
                yield _missing("body.model", number)
        elif self._first_model is None:
            self._first_model, found.model = model, _shown(model)
            if model == MISSING_MODEL:
                message = f"The provided model '{model}' does not exist."
                yield Problem("model_not_found", message, "body.model", number)
        elif model != self._first_model:
            message = f"The file uses more than one model: '{found.model}' and '{_shown(model)}'."
            yield Problem("model_mismatch", message, "body.model", number)


def _shown(text: str) -> str:
    """A text that an answer can carry: JSON can escape half of a surrogate pair, and UTF-8 not."""
    return text.encode(errors="replace").decode()


def _missing(name: str, number: int) -> Problem:
    message = f"Missing required parameter: '{name}'."
    return Problem("missing_required_parameter", message, name, number)
