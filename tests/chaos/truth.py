"""What the provider holds, asked of the sandbox itself, past the gateway and all proxies."""

import hashlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import httpx

PAGE = 100
BASES = ("/v1", "/openai/v1")
REQUEST_ID = "batchgate_request_id"


@dataclass(frozen=True)
class TrueFile:
    """A file of purpose `batch`, which a caller must have made."""

    id: str
    filename: str
    size: int
    sha256: str


@dataclass(frozen=True)
class TrueBatch:
    """A batch."""

    id: str
    request_id: str
    operation: int
    input_file_id: str
    status: str


@dataclass(frozen=True)
class Truth:
    """All files and batches of an account."""

    files: list[TrueFile]
    batches: list[TrueBatch]

    def ids(self) -> set[str]:
        """Of all."""
        return {*(one.id for one in self.files), *(one.id for one in self.batches)}


class Account:
    """The sandbox's accounts behind one key, and what can be asked of them and done to them."""

    def __init__(self, url: str, key: str) -> None:
        self.key = key
        headers = {"authorization": f"Bearer {key}", "api-key": key}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def truth(self, *, but: AbstractSet[str] = frozenset()) -> Truth:
        """What the accounts hold, but for these ids."""
        files: list[TrueFile] = []
        batches: list[TrueBatch] = []
        for base in BASES:
            listed = [one for one in self._all(f"{base}/files") if one["id"] not in but]
            files += [self._file(base, one) for one in listed if one["purpose"] == "batch"]
            listed = [one for one in self._all(f"{base}/batches") if one["id"] not in but]
            batches += map(_batch, listed)
        return Truth(files, batches)

    def fault(self, **fault: Any) -> None:
        """Let requests go wrong; see `batchgate_sandbox.faults`."""
        answer = self._http.post("/_sandbox/faults", json={"key": self.key, **fault})
        assert answer.status_code == 201, answer.text

    def heal(self) -> None:
        """Forget faults that still wait."""
        self._http.delete("/_sandbox/faults", params={"key": self.key}).raise_for_status()

    def settings(self, **changes: Any) -> None:
        """Change the account's settings."""
        answer = self._http.patch("/_sandbox/settings", params={"key": self.key}, json=changes)
        assert answer.status_code == 200, answer.text

    def forget(self) -> None:
        """Empty the record of requests."""
        self._http.delete("/_sandbox/requests", params={"key": self.key}).raise_for_status()

    def under_way(self, path: str) -> list[dict[str, Any]]:
        """The POST requests to a path that ends so which are not over, as the sandbox saw them."""
        return [
            one
            for one in self._requests()
            if one["method"] == "POST"
            and one["path"].endswith(path)
            and not (one["answered"] or one["aborted"])
        ]

    def asked(self) -> bool:
        """Whether a request has come since the record was emptied."""
        return bool(self._requests())

    def empty(self) -> None:
        """Delete all files."""
        for base in BASES:
            for file in list(self._all(f"{base}/files")):
                self._http.delete(f"{base}/files/{file['id']}")

    def busy(self) -> int:
        """How many requests the provider has not ended yet."""
        return sum(not (one["answered"] or one["aborted"]) for one in self._requests())

    def _requests(self) -> list[dict[str, Any]]:
        answer = self._http.get("/_sandbox/requests", params={"key": self.key})
        requests: list[dict[str, Any]] = answer.json()["requests"]
        return requests

    def _file(self, base: str, shown: dict[str, Any]) -> TrueFile:
        answer = self._http.get(f"{base}/files/{shown['id']}/content")
        assert answer.status_code == 200, answer.text
        content = answer.content
        return TrueFile(
            id=shown["id"],
            filename=shown["filename"],
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            answer = self._http.get(path, params={"limit": PAGE, **after})
            assert answer.status_code == 200, answer.text
            page = answer.json()
            yield from page["data"]
            if not page["has_more"]:
                return
            after = {"after": page["data"][-1]["id"]}


def _batch(shown: dict[str, Any]) -> TrueBatch:
    metadata = shown["metadata"] or {}
    return TrueBatch(
        id=shown["id"],
        # A digest of what was asked for follows it.
        request_id=metadata.get(REQUEST_ID, "").partition(" #")[0],
        operation=int(metadata.get("operation", 0)),
        input_file_id=shown["input_file_id"],
        status=shown["status"],
    )
