"""What the programs in Python share: the run that they read, content and rows made of a step's data.

See the README beside this file for all forms.
"""

import hashlib
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

JsonObject = dict[str, Any]
CHUNK_BYTES, MOST_RESULTS, TIMEOUT_SECONDS = 262144, 20, 30.0
_NAMED = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Step:
    """One step, its variables filled in. `headers` hold the caller's token too."""

    name: str
    op: str
    args: JsonObject
    headers: Mapping[str, str]
    timeout_seconds: float
    keep: Mapping[str, str]
    asks_request_id: bool


class Run:
    """The steps of a run, and what they have given so far."""

    def __init__(
        self, variables: Mapping[str, str], steps: list[JsonObject], address: str = ""
    ) -> None:
        """Without an address the environment says how the gateway is reached."""
        self.address = address
        self._variables = dict(variables)
        self._steps = steps

    @classmethod
    def read(cls, path: str) -> Self:
        """The run that a file describes."""
        return cls(**json.loads(Path(path).read_bytes()))

    def steps(self) -> Iterator[Step]:
        """Each step, once those before it have told their lines."""
        for given in self._steps:
            caller = given.get("caller", "token")
            known = self._variables.get(caller, "")
            token = {"authorization": f"Bearer {known}"} if known else {}
            headers = _filled(given.get("headers", {}), self._variables)
            yield Step(
                name=given["step"],
                op=given["op"],
                args=_filled(given["args"], self._variables),
                headers=token | headers,
                timeout_seconds=given.get("timeout_seconds", TIMEOUT_SECONDS),
                keep=given.get("keep", {}),
                asks_request_id="x-request-id" in headers,
            )

    def tell(self, step: Step, line: JsonObject) -> None:
        """Print a step's line, and keep what it gives to later steps."""
        request_id = line.pop("request_id", "")
        if step.asks_request_id and request_id:
            line["request_id"] = request_id
        print(json.dumps({"step": step.name, **line}, ensure_ascii=False), flush=True)
        for name, path in step.keep.items():
            value: Any = line.get("answer", {})
            for part in path.split("."):
                value = value.get(part, "")
            self._variables[name] = value


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _NAMED.sub(lambda found: variables[found[1]], value)
        case list():
            return [_filled(one, variables) for one in value]
        case dict():
            return {key: _filled(one, variables) for key, one in value.items()}
    return value


def content_of(args: JsonObject) -> bytes:
    """The content that an UploadFile step describes."""
    if "base64" in args:
        return b64decode(args["base64"])
    if "line" in args:
        lines = (args["line"].replace("{n}", str(n)) for n in range(1, args["count"] + 1))
        return "".join(lines).encode()
    return str(args["text"]).encode()


def pieces_of(args: JsonObject) -> Iterator[bytes]:
    """That content in the chunks that the step wants."""
    content, size = content_of(args), args.get("chunk_bytes", CHUNK_BYTES)
    for start in range(0, len(content), size):
        yield content[start : start + size]


def rows_of(args: JsonObject) -> list[JsonObject]:
    """The rows that a SubmitBatch step describes."""
    if "rows" in args:
        return list(args["rows"])
    text = json.dumps(args["row"])
    return [json.loads(text.replace("{n}", str(n))) for n in range(1, args["count"] + 1)]


def digested(bodies: Mapping[str, str]) -> JsonObject:
    """Rows that are too large to print, by the text of their body, in the form of a line's answer."""
    rows = []
    for custom_id, text in sorted(bodies.items()):
        body = text.encode()
        sha256 = hashlib.sha256(body).hexdigest()
        rows.append({"custom_id": custom_id, "size_bytes": len(body), "sha256": sha256})
    return {"rows": rows}


def summary(rows: list[JsonObject]) -> JsonObject:
    """Rows in the form of a line's answer."""
    rows = sorted(rows, key=lambda row: str(row["custom_id"]))
    succeeded = sum(row.get("succeeded", False) for row in rows)
    answer: JsonObject = {"count": len(rows), "succeeded": succeeded}
    if len(rows) <= MOST_RESULTS:
        return {**answer, "results": rows}
    ids = "".join(f"{row['custom_id']}\n" for row in rows).encode()
    return {**answer, "sha256": hashlib.sha256(ids).hexdigest()}
