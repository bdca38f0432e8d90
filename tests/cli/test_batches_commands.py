"""`batchgate batches`, `watch`, `providers` and `health`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.conftest import Account, Gateway
from tests.services.rows import batch_count, created, done, line

FOUR = b"".join([line("a"), line("b"), line("c", fail=503), line("d")])


async def test_from_create_to_its_end(batchgate: Cli, requests: Path) -> None:
    file_id = (await batchgate("files", "upload", requests, "--json")).json["id"]
    options = ("--metadata", "team=blue", "--metadata", "run=1=2", "--json")
    made = await batchgate("batches", "create", file_id, *options)
    assert made.code == 0
    batch_id = made.json["id"]
    assert made.json["metadata"] == {"team": "blue", "run": "1=2"}
    watched = await batchgate("watch", batch_id)
    assert watched.code == 3
    assert f"id                        {batch_id}\n" in watched.stdout
    assert watched.stderr.splitlines()[-1] == "completed   3 of 4 done, 1 failed"
    got = await batchgate("batches", "get", batch_id)
    assert "request_counts.completed  3\n" in got.stdout
    assert "metadata.team" in got.stdout
    head, row = (await batchgate("batches", "list")).stdout.splitlines()
    assert head.split()[:3] == ["id", "status_text", "request_counts"]
    assert row.startswith(f"{batch_id}  completed    3 of 4 done, 1 failed")


async def test_a_watch_as_json(batchgate: Cli, quick: Gateway) -> None:
    batch = await created(quick, FOUR)
    watched = await batchgate("batches", "watch", batch.id, "--json")
    assert (watched.code, watched.stderr) == (3, "")
    events = [one["event"] for one in watched.rows]
    assert events[0] == "WATCH_EVENT_SNAPSHOT"
    assert watched.rows[-1]["batch"]["status"] == "BATCH_STATUS_COMPLETED"


@pytest.mark.parametrize(
    ("outcome", "code", "told"),
    [
        ({}, 0, "completed   1 of 1 done"),
        ({"sandbox_outcome": "failed"}, 4, "error       invalid_request: The batch was asked to"),
        ({"sandbox_outcome": "expired"}, 4, "expired     0 of 1 done, 1 failed"),
    ],
)
async def test_the_exit_code_tells_how_it_ended(
    batchgate: Cli, quick: Gateway, outcome: dict[str, str], code: int, told: str
) -> None:
    batch = await created(quick, line("a"), metadata=outcome)
    watched = await batchgate("watch", batch.id)
    assert watched.code == code
    assert watched.stderr.splitlines()[-1].startswith(told)


async def test_cancel(batchgate: Cli, quick: Gateway) -> None:
    batch = await created(quick, FOUR, metadata={"sandbox_outcome": "stalled"})
    cancelled = await batchgate("batches", "cancel", batch.id)
    assert (cancelled.code, "cancelling" in cancelled.stdout) == (0, True)
    watched = await batchgate("watch", batch.id)
    assert watched.code == 4
    assert watched.stderr.splitlines()[-1].startswith("cancelled ")
    again = await batchgate("batches", "cancel", batch.id)
    assert again.code == 2
    assert again.stderr.startswith("batchgate: PROVIDER_CONFLICT: ")


async def test_retry(batchgate: Cli, quick: Gateway, account: Account) -> None:
    batch = await done(quick, FOUR)
    retried = await batchgate("batches", "retry", batch.id, "--json", "--scope", "failed-only")
    assert retried.code == 0
    assert retried.json["line_count"] == "1"
    same = await batchgate("batches", "retry", batch.id, "--request-id", "twice", "--json")
    again = await batchgate("batches", "retry", batch.id, "--request-id", "twice", "--json")
    assert same.json["batch"]["id"] == again.json["batch"]["id"]
    assert await batch_count(account) == 3


@pytest.mark.slow
async def test_a_creation_that_is_unclear_can_be_repeated(
    batchgate: Cli, requests: Path, account: Account
) -> None:
    file_id = (await batchgate("files", "upload", requests, "--json")).json["id"]
    # Neither is the answer to the creation seen, nor can the gateway look once more.
    await account.fault(kind="reset", method="POST", path="/v1/batches", process=True)
    await account.fault(
        kind="answer", method="GET", path="/v1/batches", status=500, skip=1, times=9
    )
    unclear = await batchgate("batches", "create", file_id)
    assert unclear.code == 1
    assert unclear.stderr.startswith("batchgate: OUTCOME_UNKNOWN: ")
    hint = unclear.stderr.splitlines()[-1]
    assert hint.startswith("  to be safe, repeat the command with --request-id ")
    await account.mend()
    again = await batchgate("batches", "create", file_id, *hint.split()[-2:])
    assert again.code == 0
    assert await batch_count(account) == 1


async def test_labels_that_leave_no_room_for_a_request_id(batchgate: Cli, requests: Path) -> None:
    file_id = (await batchgate("files", "upload", requests, "--json")).json["id"]
    pairs = [word for n in range(16) for word in ("--metadata", f"key{n}=value")]
    assert (await batchgate("batches", "create", file_id, *pairs)).code == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metadata", "team"], "--metadata is KEY=VALUE, not 'team'"),
        (["--metadata", "a=1", "--metadata", "a=2"], "--metadata a is given twice"),
    ],
)
async def test_labels_that_are_none(batchgate: Cli, options: list[str], message: str) -> None:
    refused = await batchgate("batches", "create", "file-1", *options)
    assert (refused.code, refused.stderr) == (2, f"batchgate: {message}\n")


async def test_an_unknown_id(batchgate: Cli) -> None:
    for command in ("get", "cancel", "watch", "results", "retry"):
        refused = await batchgate("batches", command, "batch_nope")
        assert (refused.code, refused.stdout) == (2, "")
        first, hint = refused.stderr.splitlines()
        assert first.startswith("batchgate: PROVIDER_NOT_FOUND: ")
        assert "`batchgate batches list`" in hint


async def test_providers(batchgate: Cli, account: Account) -> None:
    listed = await batchgate("providers", "--check-health")
    head, *rows = listed.stdout.splitlines()
    assert head.split()[:3] == ["name", "kind", "is_default"]
    assert [row.split()[0] for row in rows] == ["openai", "azure", "azure-dated", "azure-preview"]
    assert all("healthy" in row for row in rows)
    assert account.key not in listed.stdout
    as_json = await batchgate("providers", "--json")
    assert [one["kind"] for one in as_json.rows][:2] == [
        "PROVIDER_KIND_OPENAI",
        "PROVIDER_KIND_AZURE_OPENAI",
    ]


async def test_health(batchgate: Cli) -> None:
    served = await batchgate("health")
    assert (served.code, served.stdout) == (0, "serving\n")
    one = await batchgate("health", "batchgate.v1.BatchService", "--json")
    assert json.loads(one.stdout)["status"] == "SERVING"
    unknown = await batchgate("health", "nope")
    assert (unknown.code, unknown.stderr) == (
        2,
        "batchgate: the gateway has no service 'nope'\n",
    )


async def test_a_provider_that_there_is_not(batchgate: Cli) -> None:
    refused = await batchgate("batches", "list", "--provider", "azur")
    assert refused.code == 2
    first, hint = refused.stderr.splitlines()
    assert first.startswith("batchgate: PROVIDER_UNKNOWN: ")
    assert hint == "  did you mean --provider azure?"
    nothing_near = await batchgate("batches", "list", BATCHGATE_PROVIDER="mistral")
    assert "did you mean" not in nothing_near.stderr


async def test_what_a_terminal_would_obey_is_not_printed(batchgate: Cli, here: Path) -> None:
    (here / "bell\x1b[31m.txt").write_text("x")
    uploaded = await batchgate("files", "upload", "bell\x1b[31m.txt", "--purpose", "user_data")
    listed = await batchgate("files", "list")
    assert uploaded.code == listed.code == 0
    assert "\x1b" not in uploaded.stdout + listed.stdout


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
async def test_a_list_that_stops_says_so(batchgate: Cli, quick: Gateway, form: list[str]) -> None:
    for _ in range(3):
        await created(quick, line("a"), metadata={"sandbox_outcome": "stalled"})
    for kind in ("batches", "files"):
        some = await batchgate(kind, "list", "--limit", "2", *form)
        assert some.stderr == "2 shown; more with --limit\n"
        assert len(some.stdout.splitlines()) == (2 if form else 3)
        for limit in ("3", "0"):
            assert (await batchgate(kind, "list", "--limit", limit, *form)).stderr == ""
