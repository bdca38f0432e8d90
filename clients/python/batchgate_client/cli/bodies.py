"""Rows of a batch from a file of JSON lines: bodies, or whole lines of a batch file."""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from batchgate.v1.batch_service_pb2 import BatchLine
from batchgate_client.cli.checking import open_input
from batchgate_client.cli.failures import UNUSABLE, failure

ENVELOPE = {"custom_id", "method", "url", "body"}
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def jsonl_rows(path: Path, *, endpoint: str) -> Iterator[BatchLine]:
    """The rows of a file; bodies go on as they are, byte for byte.

    A line is a body (its `custom_id` is then `row-` and the line's number), or has `custom_id` and
    `body`, as a batch file has; a `url` must be the endpoint.

    Raises:
        typer.Exit: the file or a line is not as it should be.
    """
    with open_input(path) as file:
        for number, whole in enumerate(file, start=1):
            # Some editors begin a file with the mark.
            line = whole.removeprefix(codecs.BOM_UTF8) if number == 1 else whole
            if line.strip():
                yield _row(line, number, endpoint=endpoint, where=f"{path}:{number}")


def _row(line: bytes, number: int, *, endpoint: str, where: str) -> BatchLine:
    try:
        members = _decode(line)
        text = line.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise failure(f"{where}: is no JSON object in UTF-8", code=UNUSABLE) from None
    if "body" not in members or not members.keys() <= ENVELOPE:
        return BatchLine(custom_id=f"row-{number}", body_json=text.strip())
    custom_id = _value(members, "custom_id")
    if not isinstance(custom_id, str):
        raise failure(f"{where}: custom_id must be a string", code=UNUSABLE)
    url = _value(members, "url")
    if url is not None and str(url).removeprefix("/v1") != endpoint.removeprefix("/v1"):
        raise failure(f"{where}: its url is not --endpoint {endpoint}", code=UNUSABLE)
    return BatchLine(custom_id=custom_id, body_json=bytes(members["body"]).decode())


def _value(members: dict[str, msgspec.Raw], name: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(bytes(members[name])) if name in members else None
