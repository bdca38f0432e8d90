"""The gateway is killed and started again while `batchgate run` is under way: it gets through."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.programs import program
from tests.clients.python.test_restarts import Lives, lives
from tests.conftest import Account
from tests.services.rows import batch_count, line
from tests.waiting import eventually

COUNT = 2000
MANY = b"".join(line(f"row-{n}", text="x" * 200) for n in range(COUNT))
OUT = "requests.results.jsonl"

__all__ = ["lives"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "asked", "fault"),
    [
        (
            "uploading",
            "POST /v1/files",
            {"kind": "slow_read", "method": "POST", "path": "/v1/files", "bytes_per_second": 1e5},
        ),
        (
            "creating",
            "POST /v1/batches",
            {"kind": "delay", "method": "POST", "path": "/v1/batches", "delay": 1.0},
        ),
        ("in_progress", "", {"kind": "delay", "method": "GET", "path": "/v1/batches/nothing"}),
        (
            "results",
            "/content",
            {"kind": "slow_send", "method": "GET", "path": "*/content", "bytes_per_second": 5e5},
        ),
    ],
)
async def test_a_run_gets_through(
    lives: Lives,
    *,
    here: Path,
    account: Account,
    word: str,
    asked: str,
    fault: dict[str, object],
) -> None:
    (here / "requests.jsonl").write_bytes(MANY)
    await account.fault(**fault)
    await account.settings(step_seconds=0.2, slices=10)

    async def is_asked() -> bool:
        return any(asked in f"{one['method']} {one['path']}" for one in await account.requests())

    async with program("run", "requests.jsonl", here=here, address=lives.address) as running:
        await running.says(word)
        await eventually(is_asked)
        await lives.kill()
        await running.says("waiting     the connection broke off; trying again")
        await lives.begin()
        await running.says("going on    there is an answer again")
        end = await running.end()
    assert end.code == 0, end.stderr
    rows = Counter(json.loads(one)["custom_id"] for one in (here / OUT).read_text().splitlines())
    assert rows == Counter(f"row-{n}" for n in range(COUNT))
    assert await batch_count(account) == 1
    assert {path.name for path in here.iterdir()} == {"requests.jsonl", OUT}
