"""Batch files that are fine, or not: the cases of `golden/jsonl.yaml`."""

import bz2
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batchgate.v1 import batch_service_pb2 as pb

GOLDEN = yaml.safe_load((Path(__file__).parents[1] / "golden" / "jsonl.yaml").read_text())
CHAT = "/v1/chat/completions"
KINDS = {"openai": "openai", "azure": "azure_openai"}
ENVELOPE = {"custom_id", "method", "url", "body"}


@dataclass(frozen=True)
class Case:
    """A case as it is for one kind of provider."""

    case: dict[str, Any]
    kind: str

    def value(self, name: str, default: Any = None) -> Any:
        """A member, which may differ by kind."""
        value = self.case.get(name, default)
        by_kind = isinstance(value, dict) and value.keys() <= KINDS.keys()
        return value.get(self.kind) if by_kind else value

    def found(self, name: str) -> list[tuple[int, str, str]]:
        """The issues or the warnings."""
        words = [(*one.split(), "")[:3] for one in self.value(name, [])]
        return [(int(line), code, param) for line, code, param in words]

    @property
    def endpoint(self) -> str:
        """Where the batch goes."""
        return str(self.value("endpoint", CHAT))

    @property
    def filename(self) -> str:
        """What the file is called."""
        return str(self.case.get("filename", "requests.jsonl"))

    @property
    def lines(self) -> Iterator[dict[str, Any] | str]:
        """The lines as objects, or as texts."""
        for number in range(self.case.get("times", 1) * len(self.case["lines"])):
            changes = self.case["lines"][number % len(self.case["lines"])]
            if isinstance(changes, str):
                yield changes
                continue
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
            whole = {"custom_id": f"r{number + 1}", "method": "POST", "url": CHAT, "body": body}
            whole |= changes
            yield {
                name: value
                for name, value in whole.items()
                if name not in ("without", *changes.get("without", ()))
            }

    @property
    def content(self) -> bytes:
        """The file."""
        if (text := self.case.get("text")) is None:
            newline = self.case.get("newline", "\n")
            lines = (one if isinstance(one, str) else dumped(one) for one in self.lines)
            text = newline.join(lines) + self.case.get("end", newline)
        encoding = self.case.get("encoding", "utf-8")
        passed = {"surrogates": ("utf-8", "surrogatepass")}.get(encoding, (encoding, "strict"))
        content: bytes = bytes.fromhex(self.case.get("prefix", "")) + text.encode(*passed)
        match self.case.get("pack"):
            case "gzip":
                return gzip.compress(content)
            case "bz2":
                return bz2.compress(content)
            case _:
                return content

    @property
    def rows(self) -> list[pb.BatchLine] | None:
        """The same as rows; None where rows cannot say it."""
        if self.case.keys() & {"text", "encoding", "prefix", "pack", "times"}:
            return None
        rows = []
        for line in self.lines:
            if (
                isinstance(line, str)
                or line.keys() != ENVELOPE
                or (line["method"], line["url"]) != ("POST", self.endpoint)
                or not isinstance(line["custom_id"], str)
            ):
                return None
            rows.append(pb.BatchLine(custom_id=line["custom_id"], body_json=dumped(line["body"])))
        return rows


def dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def cases(kind: str) -> list[Case]:
    """All cases for a kind of provider."""
    return [Case(one, kind) for one in GOLDEN["cases"] if kind in one.get("kinds", KINDS)]
