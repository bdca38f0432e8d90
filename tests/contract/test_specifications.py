"""Every answer of the sandbox, held against the provider's published API document."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import httpx
import pytest

from batchgate_sandbox.server import SandboxServer
from tests.contract import specification
from tests.contract.specification import Specification
from tests.sandbox.door import NAMES, Door, eventually, line
from tests.services.batch_files import cases


@dataclass
class Court:
    """Judges every answer that comes by, and remembers which it saw."""

    specification: Specification
    seen: set[tuple[str, str, int]] = field(default_factory=set)

    def hear(self, answer: httpx.Response) -> None:
        if "/_sandbox/" in answer.request.url.path:
            return
        answer.read()
        path = answer.request.url.path
        shown = f"{answer.request.method} {path} {answer.status_code} {answer.text}"
        assert not self.specification.judge(answer), shown
        self.seen.add((answer.request.method, path.split("/")[-1], answer.status_code))


@pytest.fixture(params=NAMES)
def court(request: pytest.FixtureRequest) -> Court:
    return Court(specification.specification(request.param))


@pytest.fixture
def door(sandbox: SandboxServer, court: Court) -> Iterator[Door]:
    with httpx.Client(event_hooks={"response": [court.hear]}) as client:
        yield Door(sandbox.url, f"key-{uuid.uuid4().hex}", court.specification.name, client)


def test_files(door: Door) -> None:
    ids = [door.file([line("a")]) for _ in range(2)]
    if door.name != "azure-2024":
        expiring = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "1209600"}
        assert door.upload([line("a")], **expiring).is_success
    door.get("/files")
    door.get("/files", params={"limit": "1"})
    door.call("GET", f"/files/{ids[0]}/content")
    door.call("DELETE", f"/files/{ids[0]}")


def test_a_batch_at_every_moment_of_its_life(door: Door) -> None:
    # Each moment lasts long enough to be seen on a busy machine, too.
    door.settings(step_seconds=0.2)
    batch = door.batch([line("a"), line("b", sandbox={"fail": 500})], metadata={"k": "v"})
    seen: set[str] = {batch["status"]}

    def look() -> bool:
        seen.add(door.get(f"/batches/{batch['id']}")["status"])
        return "completed" in seen

    eventually(look)
    assert seen == {"validating", "in_progress", "finalizing", "completed"}
    ended = door.get(f"/batches/{batch['id']}")
    for name in ("output_file_id", "error_file_id"):
        door.get(f"/files/{ended[name]}")
        door.lines(ended[name])
    door.get("/batches")
    door.get("/batches", params={"limit": "1", "after": batch["id"]})


def test_batches_that_end_otherwise(door: Door) -> None:
    assert door.ended(b"{not json}\n")["status"] == "failed"
    assert door.ended([line("a"), line("a")])["status"] == "failed"
    assert door.ended([line("a")], metadata={"sandbox_outcome": "expired"})["status"] == "expired"
    batch = door.batch([line("a")], metadata={"sandbox_outcome": "stalled"})
    door.wait(batch["id"], "in_progress")
    door.call("POST", f"/batches/{batch['id']}/cancel")
    assert door.wait(batch["id"])["status"] == "cancelled"


def test_files_of_every_fault(door: Door) -> None:
    """What a failed batch says of its file, whatever is wrong with that."""
    kind = "openai" if door.name == "openai" else "azure"
    for case in cases(kind):
        if case.found("issues") and "times" not in case.case:
            assert door.ended(case.content, endpoint=case.endpoint)["status"] == "failed"


def test_refusals(door: Door, court: Court) -> None:
    door.call("GET", "/files/file-none")
    door.call("GET", "/batches/batch_none")
    door.call("POST", "/batches", json={})
    door.upload(b"", purpose="nothing")
    door.call("POST", f"/batches/{door.ended([line('a')])['id']}/cancel")
    if door.name != "azure-v1":
        # At v1 the credential is checked in front of the service, in another shape than the
        # document's only one.
        replace(door, key="invalid").call("GET", "/batches")
    assert {status for _, _, status in court.seen} >= {400, 404, 409}


def test_a_wrong_answer_is_noticed(court: Court) -> None:
    """So that the other tests mean something."""
    path = f"{specification.BASES[court.specification.name]}/batches/batch_1"
    request = httpx.Request("GET", f"http://sandbox{path}")

    headers = {"apim-request-id": "1"}

    def judged(body: object) -> list[str]:
        return court.specification.judge(
            httpx.Response(200, json=body, request=request, headers=headers)
        )

    good = {
        "id": "b",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "input_file_id": "f",
        "completion_window": "24h",
        "status": "completed",
        "created_at": 1,
    }
    assert judged(good) == []
    assert judged(good | {"status": "done"})
    assert judged(good | {"created_at": "now"})
    assert judged({name: value for name, value in good.items() if name != "id"})


@pytest.mark.parametrize("in_ci", [True, False])
def test_without_the_documents(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, in_ci: bool
) -> None:
    monkeypatch.setattr(specification, "PLACE", tmp_path)
    monkeypatch.setenv("CI", "true" if in_ci else "")
    load = specification.specification.__wrapped__
    with pytest.raises(
        pytest.fail.Exception if in_ci else pytest.skip.Exception, match="is not at"
    ):
        load("openai")
