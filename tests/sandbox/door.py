"""A caller of one account at one flavour of the sandbox, over real HTTP."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

Json = dict[str, Any]
TERMINAL = ("completed", "failed", "expired", "cancelled")
NAMES = ("openai", "azure-2024", "azure-2025", "azure-v1")
_BASES = {
    "openai": ("/v1", {}),
    "azure-2024": ("/openai", {"api-version": "2024-10-21"}),
    "azure-2025": ("/openai", {"api-version": "2025-04-01-preview"}),
    "azure-v1": ("/openai/v1", {}),
}


def eventually(look: Callable[[], bool], *, within: float = 10.0) -> None:
    """Wait until ``look`` finds what it looks for."""
    end = time.monotonic() + within
    while not look():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.003)


def line(custom_id: str, text: str = "hello", **changes: Any) -> Json:
    """One request to the chat endpoint; ``changes`` replace members, ``sandbox`` the directive."""
    body: Json = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": text}]}
    if "sandbox" in changes:
        body["sandbox"] = changes.pop("sandbox")
    if "model" in changes:
        body["model"] = changes.pop("model")
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
        **changes,
    }


def jsonl(lines: Sequence[Json]) -> bytes:
    """The lines as a file."""
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in lines)


@dataclass
class Door:
    """One key at one flavour."""

    url: str
    key: str
    name: str
    client: httpx.Client
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        base, params = _BASES[self.name]
        bearer = self.name in ("openai", "azure-v1")
        credential = {"authorization": f"Bearer {self.key}"} if bearer else {"api-key": self.key}
        return self.client.request(
            method,
            f"{self.url}{base}{path}",
            params=params | options.pop("params", {}),
            headers=credential | self.headers | options.pop("headers", {}),
            **options,
        )

    def upload(
        self,
        content: bytes | Sequence[Json],
        *,
        purpose: str = "batch",
        name: str = "in.jsonl",
        content_type: str = "application/jsonl",
        **fields: str,
    ) -> httpx.Response:
        data = content if isinstance(content, bytes) else jsonl(content)
        return self.call(
            "POST",
            "/files",
            data={"purpose": purpose, **fields},
            files={"file": (name, data, content_type)},
        )

    def file(self, content: bytes | Sequence[Json], **options: Any) -> str:
        """Upload, wait until it is processed, and give the id."""
        answer = self.upload(content, **options)
        assert answer.is_success, answer.text
        file_id = str(answer.json()["id"])
        eventually(lambda: self.get(f"/files/{file_id}")["status"] == "processed")
        return file_id

    def get(self, path: str, **options: Any) -> Json:
        answer = self.call("GET", path, **options)
        assert answer.status_code == 200, answer.text
        shape: Json = answer.json()
        return shape

    def create(self, file_id: str, **changes: Any) -> httpx.Response:
        given = {
            "input_file_id": file_id,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            **changes,
        }
        return self.call("POST", "/batches", json=given)

    def batch(self, content: bytes | Sequence[Json], **changes: Any) -> Json:
        """Upload and create."""
        answer = self.create(self.file(content), **changes)
        assert answer.is_success, answer.text
        shape: Json = answer.json()
        return shape

    def wait(self, batch_id: str, *wanted: str) -> Json:
        """Poll until the batch is in a wanted state, by default any end."""
        found: Json = {}

        def look() -> bool:
            found.update(self.get(f"/batches/{batch_id}"))
            return found["status"] in (wanted or TERMINAL)

        eventually(look)
        return found

    def ended(self, content: bytes | Sequence[Json], **changes: Any) -> Json:
        """Upload, create and wait for the end."""
        return self.wait(self.batch(content, **changes)["id"])

    def lines(self, file_id: str | None) -> list[Json]:
        """A result file's rows."""
        assert file_id
        answer = self.call("GET", f"/files/{file_id}/content")
        assert answer.status_code == 200, answer.text
        return [json.loads(one) for one in answer.content.splitlines()]

    # ------------------------------------------------------------------ the sandbox's own paths

    def fault(self, kind: str, **members: Any) -> None:
        given = {"kind": kind, "key": self.key, **members}
        answer = self.client.post(f"{self.url}/_sandbox/faults", json=given)
        assert answer.status_code == 201, answer.text

    def settings(self, **changes: float | None) -> None:
        answer = self.client.patch(
            f"{self.url}/_sandbox/settings", params={"key": self.key}, json=changes
        )
        assert answer.status_code == 200, answer.text

    def requests(self) -> list[Json]:
        answer = self.client.get(f"{self.url}/_sandbox/requests", params={"key": self.key})
        found: list[Json] = answer.json()["requests"]
        return found
