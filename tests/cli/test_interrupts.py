"""Ctrl-C and kill -9 at each stage: nothing is lost, nothing is done twice, and it says how to go on."""

import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Done
from tests.cli.programs import program
from tests.conftest import Account, Gateway
from tests.services.rows import batch_count, created, done, line
from tests.waiting import eventually

OUT = "requests.results.jsonl"
COUNT = 2000
MANY = b"".join(line(f"row-{n}", text="x" * 200) for n in range(COUNT))
SIGNALS = [
    signal.SIGINT,
    pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
]
Stopped = Callable[..., Awaitable[Done]]


@pytest.fixture
def requests(here: Path) -> Path:
    path = here / "requests.jsonl"
    path.write_bytes(MANY)
    return path


@pytest.fixture
def stopped(quick: Gateway, here: Path, requests: Path, account: Account) -> Stopped:
    """Runs the batch file, and sends a signal when a line begins so and the provider was asked."""

    async def run(word: str, number: signal.Signals, *options: str, asked: str = "") -> Done:
        async def is_asked() -> bool:
            return any(
                asked in f"{one['method']} {one['path']}" for one in await account.requests()
            )

        command = ("run", requests.name, *options)
        async with program(*command, here=here, address=quick.address) as running:
            await running.says(word)
            if asked:
                await eventually(is_asked)
            running.signal(number)
            end = await running.end()
        if number is signal.SIGKILL:
            assert end.code == -number
        else:
            assert (end.code, end.stdout) == (130, "")
            assert "batchgate: interrupted" in end.stderr
            assert "Traceback" not in end.stderr
        await account.mend()
        return end

    return run


def rows(here: Path) -> Counter[str]:
    text = (here / OUT).read_text()
    return Counter(json.loads(one)["custom_id"] for one in text.splitlines())


async def goes_on(batchgate: Cli, here: Path, *options: str, code: int = 0) -> Done:
    """The same command again has each row once, and leaves nothing but them."""
    again = await batchgate("run", "requests.jsonl", *options)
    assert again.code == code, again.stderr
    assert {path.name for path in here.iterdir()} == {"requests.jsonl", OUT}
    return again


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_it_is_checked(
    stopped: Stopped, batchgate: Cli, here: Path, account: Account, number: signal.Signals
) -> None:
    # So that it does not come further than the upload, however late the signal arrives.
    await account.fault(kind="hang", method="POST", path="/v1/files")
    await stopped("checking", number)
    assert not await account.file_ids()
    await goes_on(batchgate, here)
    assert rows(here) == Counter(f"row-{n}" for n in range(COUNT))


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_it_is_uploaded(
    stopped: Stopped, batchgate: Cli, here: Path, account: Account, number: signal.Signals
) -> None:
    await account.fault(kind="slow_read", method="POST", path="/v1/files", bytes_per_second=200_000)
    end = await stopped("uploading", number, asked="POST /v1/files")
    if number is not signal.SIGKILL:
        assert "no batch was created; the same command begins anew" in end.stderr
        assert {path.name for path in here.iterdir()} == {"requests.jsonl"}
    await goes_on(batchgate, here)
    assert rows(here) == Counter(f"row-{n}" for n in range(COUNT))
    assert await batch_count(account) == 1


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_it_is_created(
    stopped: Stopped, batchgate: Cli, here: Path, account: Account, number: signal.Signals
) -> None:
    """The batch comes to be all the same, and is found."""
    await account.fault(kind="delay", method="POST", path="/v1/batches", delay=0.5)
    end = await stopped("creating", number, asked="POST /v1/batches")
    if number is not signal.SIGKILL:
        assert "it finds that batch, or creates it" in end.stderr
    again = await goes_on(batchgate, here)
    assert "going on    file-" in again.stderr
    assert rows(here) == Counter(f"row-{n}" for n in range(COUNT))
    assert await batch_count(account) == 1
    uploads = [one for one in await account.requests() if one["path"] == "/v1/files"]
    assert len(uploads) == 1


@pytest.mark.parametrize("number", SIGNALS)
async def test_while_it_is_watched(
    stopped: Stopped, batchgate: Cli, here: Path, account: Account, number: signal.Signals
) -> None:
    end = await stopped("in_progress", number, "--metadata", "sandbox_outcome=stalled")
    (batch,) = (await batchgate("batches", "list", "--json")).rows
    if number is not signal.SIGKILL:
        assert end.stderr.splitlines()[-3:] == [
            f"{batch['id']} goes on, and nothing is lost; so does the same command, or:",
            *_hints(end, batch["id"]),
        ]
    await batchgate("batches", "cancel", batch["id"])
    again = await goes_on(batchgate, here, code=4)
    assert f"going on    {batch['id']}" in again.stderr
    assert 0 < rows(here).total() < COUNT
    assert await batch_count(account) == 1


def _hints(end: Done, batch_id: str) -> list[str]:
    """The two lines that take it up again, but for the address."""
    watch, results = end.stderr.splitlines()[-2:]
    assert watch.startswith(f"  batchgate watch {batch_id}")
    assert results.startswith(f"  batchgate results {batch_id} --out {OUT} --resume")
    return [watch, results]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("way", ["run", "results"])
async def test_while_results_come(
    stopped: Stopped,
    batchgate: Cli,
    *,
    here: Path,
    account: Account,
    number: signal.Signals,
    way: str,
) -> None:
    await account.fault(kind="slow_send", method="GET", path="*/content", bytes_per_second=500_000)
    await stopped("results", number, asked="/content")
    (batch,) = (await batchgate("batches", "list", "--json")).rows
    if way == "run":
        await goes_on(batchgate, here)
    else:
        resumed = await batchgate("results", batch["id"], "--resume")
        assert (resumed.code, resumed.stdout) == (0, f"{OUT}: {COUNT:,} rows, 0 of them failed\n")
    assert rows(here) == Counter(f"row-{n}" for n in range(COUNT))


async def test_a_submission(
    batchgate: Cli, quick: Gateway, here: Path, requests: Path, account: Account
) -> None:
    await account.fault(kind="delay", method="POST", path="/v1/batches", delay=0.5)

    async def is_asked() -> bool:
        return any(one["path"] == "/v1/batches" for one in await account.requests())

    async with program("submit", requests.name, here=here, address=quick.address) as submitting:
        await eventually(is_asked)
        submitting.signal(signal.SIGINT)
        end = await submitting.end()
    assert (end.code, end.stdout) == (130, "")
    first, hint = end.stderr.splitlines()
    assert first == "batchgate: interrupted; there may be a batch now"
    again = await batchgate("submit", requests.name, "--json", *hint.split()[-2:])
    assert again.code == 0
    assert await batch_count(account) == 1


async def test_a_watch_of_its_own(quick: Gateway, here: Path) -> None:
    batch = await created(quick, line("a"), metadata={"sandbox_outcome": "stalled"})
    async with program("watch", batch.id, here=here, address=quick.address) as watch:
        await watch.says("in_progress")
        watch.signal(signal.SIGINT)
        end = await watch.end()
    assert (end.code, end.stdout) == (130, "")
    first, again, results = end.stderr.splitlines()[-3:]
    assert first == (
        f"batchgate: interrupted; {batch.id} goes on. To watch it again, or get its results:"
    )
    assert again == f"  batchgate watch {batch.id}"
    assert results == f"  batchgate results {batch.id} --wait"


async def test_a_disk_with_too_little_room(batchgate: Cli, quick: Gateway, here: Path) -> None:
    """The system's own limit on a file's size, in place of a disk."""
    batch = await done(quick, MANY)
    command = ("results", batch.id, "--out", OUT)
    async with program(*command, here=here, address=quick.address, limit_bytes=600_000) as writing:
        end = await writing.end()
    assert end.code == 1
    assert "File too large; the rows in it are whole; to go on:" in end.stderr
    kept = rows(here)
    assert 0 < kept.total() < COUNT
    assert (await batchgate("results", batch.id, "--resume")).code == 0
    assert rows(here) == Counter(f"row-{n}" for n in range(COUNT))


async def test_two_at_once(
    batchgate: Cli, quick: Gateway, here: Path, requests: Path, account: Account
) -> None:
    stalled = ("run", requests.name, "--metadata", "sandbox_outcome=stalled")
    async with program(*stalled, here=here, address=quick.address) as first:
        await first.says("in_progress")
        refused = await batchgate("run", requests.name)
        assert refused.code == 1
        assert f"batchgate: {OUT}: another process is writing it" in refused.stderr
        (batch,) = (await batchgate("batches", "list", "--json")).rows
        await batchgate("batches", "cancel", batch["id"])
        assert (await first.end()).code == 4
    assert await batch_count(account) == 1
