"""`batchgate results`: rows as they are, and a file that can be gone on with."""

import fcntl
import json
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from batchgate_client.cli import resumable
from tests.cli.conftest import Cli
from tests.conftest import Account, Gateway
from tests.services.rows import created, done, line

COUNT = 3000
MANY = b"".join(line(f"row-{n}", text="x" * 300) for n in range(COUNT))


@pytest.fixture
async def many(quick: Gateway) -> str:
    """A batch whose results come in several messages."""
    return (await done(quick, MANY)).id


def ids(path: Path) -> list[str]:
    """The custom_ids of a file, whose lines are whole."""
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(row)["custom_id"] for row in text.splitlines()]


async def test_rows_to_the_standard_output(batchgate: Cli, quick: Gateway) -> None:
    content = b"".join([line("a", reply="Ü\u2028"), line("c", fail=503), line("e", error="oops")])
    batch = await done(quick, content)
    got = await batchgate("results", batch.id)
    assert got.code == 3
    assert {one.split(maxsplit=1)[1] for one in got.stderr.splitlines()} == {
        "503 server_error: The line asked to fail. ×1",  # noqa: RUF001 - as it is shown
        "oops: The line asked for this error. ×1",  # noqa: RUF001 - likewise
    }
    rows = {row["custom_id"]: row for row in got.rows}
    good, bad, none = rows["a"], rows["c"], rows["e"]
    assert good["succeeded"] is True
    assert good["error"] is None
    assert good["response"]["body"]["choices"][0]["message"]["content"] == "Ü\u2028"
    assert good["usage"]["total_tokens"] > 0
    assert good["model"] == "gpt-4o-mini"
    assert (bad["succeeded"], bad["response"]["status_code"], bad["error"]) == (False, 503, None)
    assert (none["succeeded"], none["response"]) == (False, None)
    assert none["error"]["code"] == "oops"
    failed = await batchgate("batches", "results", batch.id, "--filter", "failed")
    assert {row["custom_id"] for row in failed.rows} == {"c", "e"}
    # They are what was asked for.
    assert failed.code == 0


async def test_a_batch_that_has_not_ended(batchgate: Cli, quick: Gateway, here: Path) -> None:
    batch = await created(quick, line("a"), metadata={"sandbox_outcome": "stalled"})
    refused = await batchgate("results", batch.id, "--out", "out.jsonl")
    assert refused.code == 2
    assert "BATCH_NOT_FINISHED" in refused.stderr
    assert "add --wait" in refused.stderr
    assert list(here.iterdir()) == []
    ended = await created(quick, line("a"))
    assert len((await batchgate("results", ended.id, "--wait")).rows) == 1


async def test_to_a_file(batchgate: Cli, many: str, here: Path) -> None:
    got = await batchgate("results", many, "--out", "out.jsonl")
    assert (got.code, got.stdout) == (0, "out.jsonl: 3,000 rows, 0 of them failed\n")
    assert sorted(ids(here / "out.jsonl")) == sorted(f"row-{n}" for n in range(COUNT))
    assert [path.name for path in here.iterdir()] == ["out.jsonl"]
    again = await batchgate("results", many, "--out", "out.jsonl")
    message = "out.jsonl: is there already, and whole or not ours; --force replaces it"
    assert (again.code, again.stderr) == (2, f"batchgate: {message}\n")
    forced = await batchgate("results", many, "--out", "out.jsonl", "--force", "--json")
    counted = {"succeeded": COUNT, "failed": 0, "missing": 0, "reasons": []}
    assert forced.json == {"path": "out.jsonl", **counted}


class BrokenOff(Exception):
    """In place of kill -9."""


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record for each message."""
    monkeypatch.setattr(resumable, "CHECKPOINT_BYTES", 1)


async def broken_off(
    cli: Cli, batch_id: str, monkeypatch: pytest.MonkeyPatch, *, writes: int, error: Exception
) -> Any:
    """What the command ends with whose write after so many leaves half of its bytes."""
    write = resumable.ResultsFile.write
    count = 0

    def failing(self: resumable.ResultsFile, rows: bytes) -> None:
        nonlocal count
        count += 1
        if count <= writes:
            write(self, rows)
            return
        self._file.write(rows[: len(rows) // 2])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(resumable.ResultsFile, "write", failing)
        # Nor is anything tidied up.
        patch.setattr(resumable.ResultsFile, "abandon", lambda self: None)
        return await cli("results", batch_id, "--out", "out.jsonl")


@pytest.mark.parametrize("writes", [0, 1, 3])
async def test_a_writer_that_was_killed(
    batchgate: Cli,
    *,
    many: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    often: None,
    writes: int,
) -> None:
    with pytest.raises(BrokenOff):
        await broken_off(batchgate, many, monkeypatch, writes=writes, error=BrokenOff())
    assert not (here / "out.jsonl").read_bytes().endswith(b"\n")
    refused = await batchgate("results", many, "--out", "out.jsonl")
    message = "out.jsonl: is there in part; --resume goes on with it, --force begins it anew"
    assert (refused.code, refused.stderr) == (2, f"batchgate: {message}\n")
    resumed = await batchgate("results", many, "--resume")
    assert (resumed.code, resumed.stdout) == (0, "out.jsonl: 3,000 rows, 0 of them failed\n")
    found = ids(here / "out.jsonl")
    assert (len(found), len(set(found))) == (COUNT, COUNT)
    assert [path.name for path in here.iterdir()] == ["out.jsonl"]


async def test_a_full_disk_leaves_whole_rows(
    batchgate: Cli, many: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 700_000

    class Disk(FileIO):
        def write(self, rows: Any) -> int:
            left = room - self.tell()
            if not left:
                raise OSError(28, "No space left on device")
            return super().write(bytes(rows)[:left])

    with monkeypatch.context() as patch:
        patch.setattr(resumable, "FileIO", Disk)
        full = await batchgate("results", many, "--out", "out.jsonl")
    assert full.code == 1
    assert full.stderr.splitlines()[1:] == [
        "batchgate: out.jsonl: No space left on device; the rows in it are whole; to go on:",
        f"  batchgate results {many} --out out.jsonl --resume",
    ]
    kept = ids(here / "out.jsonl")
    assert 0 < len(kept) < COUNT
    resumed = await batchgate("results", many, "--out", "out.jsonl", "--resume")
    assert resumed.code == 0
    found = ids(here / "out.jsonl")
    assert (len(found), len(set(found))) == (COUNT, COUNT)


async def test_a_device_that_is_full(batchgate: Cli, many: str) -> None:
    full = await batchgate("results", many, "--out", "/dev/full")
    assert full.code == 1
    assert full.stderr.splitlines()[-1] == (
        "batchgate: /dev/full: No space left on device; it cannot be gone on with"
    )


async def test_a_file_that_is_being_written(batchgate: Cli, many: str, here: Path) -> None:
    with (here / "out.jsonl").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused = await batchgate("results", many, "--out", "out.jsonl")
    assert refused.stderr == "batchgate: out.jsonl: another process is writing it\n"
    assert refused.code == 1


async def test_what_cannot_be_gone_on_with(batchgate: Cli, many: str, here: Path) -> None:
    out, record = here / "out.jsonl", here / "out.jsonl.resume"
    nothing = await batchgate("results", many, "--resume")
    assert nothing.stderr == (
        f"batchgate: no file of {many} in this directory to go on with; name it with --out\n"
    )
    record.write_text("{")
    broken = await batchgate("results", many, "--out", "out.jsonl", "--resume")
    assert broken.stderr == "batchgate: out.jsonl.resume: is no record of batchgate's\n"
    record.write_text(json.dumps({"batch_id": many}))
    rows = await batchgate("results", many, "--out", "out.jsonl", "--resume", "--filter", "failed")
    assert f"out.jsonl: is of {many}, or has other rows" in rows.stderr
    record.write_text(json.dumps({"batch_id": "batch_other"}))
    other = await batchgate("results", many, "--out", "out.jsonl", "--resume")
    assert "out.jsonl: is of batch_other, or has other rows" in other.stderr
    record.write_text(json.dumps({"batch_id": many, "size_bytes": 10}))
    shorter = await batchgate("results", many, "--out", "out.jsonl", "--resume")
    assert "out.jsonl: is shorter than out.jsonl.resume says" in shorter.stderr
    for refused in (nothing, broken, rows, other, shorter):
        assert refused.code == 2
    out.unlink()
    forced = await batchgate("results", many, "--out", "out.jsonl", "--resume", "--force")
    assert forced.code == 0
    assert not record.exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere/out.jsonl", "No such file or directory"), (".", "Is a directory")],
)
async def test_where_nothing_can_be_written(
    batchgate: Cli, many: str, name: str, reason: str
) -> None:
    refused = await batchgate("results", many, "--out", name)
    assert (refused.code, refused.stderr) == (2, f"batchgate: {name}: {reason}\n")


async def test_rows_after_a_download_that_broke_off(
    batchgate: Cli, many: str, account: Account, here: Path
) -> None:
    """The provider cuts its answers off; the gateway and the client go on."""
    await account.fault(kind="cut", method="GET", path="*/content", times=2)
    assert (await batchgate("results", many, "--out", "out.jsonl")).code == 0
    found = ids(here / "out.jsonl")
    assert (len(found), len(set(found))) == (COUNT, COUNT)
