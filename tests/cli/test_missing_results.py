"""Results that a provider says it has and does not give out: no success, no second batch, and why rows failed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.conftest import Account, Gateway
from tests.services.rows import batch_count, created, line

INPUT, OUT = "requests.jsonl", "requests.results.jsonl"
OUTPUT_FILE, ERROR_FILE = "file-output", "file-errors"
TIMES = "\N{MULTIPLICATION SIGN}"


def row(custom_id: str, status: int = 200, body: Any = None, **more: Any) -> str:
    """A line of a result file, as providers write it."""
    response = {"status_code": status, "request_id": "", "body": body or {}}
    whole = {"id": "x", "custom_id": custom_id, "response": response, "error": None, **more}
    return json.dumps(whole) + "\n"


async def says(
    account: Account,
    *,
    counts: tuple[int, int, int],
    output: str | None = None,
    errors: str | None = None,
) -> None:
    """The provider says of each batch that it is completed, with these counts and files."""
    total, completed, failed = counts
    await account.mend()
    batch = {
        "id": "batch_1",
        "object": "batch",
        "endpoint": "/v1/chat/completions",
        "status": "completed",
        "completion_window": "24h",
        "created_at": 1,
        "completed_at": 2,
        "input_file_id": (await account.file_ids() or ["file-input"])[-1],
        "output_file_id": output and OUTPUT_FILE,
        "error_file_id": errors and ERROR_FILE,
        "request_counts": {"total": total, "completed": completed, "failed": failed},
    }
    faults: dict[str, Any] = {"/v1/batches/*": batch}
    for name, content in ((OUTPUT_FILE, output), (ERROR_FILE, errors)):
        if content is not None:
            faults[f"/v1/files/{name}/content"] = content
    for path, body in faults.items():
        await account.fault(
            kind="answer", method="GET", path=path, status=200, body=body, times=None
        )


@pytest.fixture
def three(here: Path) -> None:
    (here / INPUT).write_bytes(line("r1") + line("r2") + line("r3"))


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("force", [(), ("--force",)])
async def test_results_that_do_not_come_are_looked_for_again(
    batchgate: Cli, account: Account, here: Path, force: tuple[str, ...]
) -> None:
    """The same command goes on with the same batch, and pays nothing twice."""
    await says(account, counts=(3, 3, 0))
    for _ in range(2):
        done = await batchgate("run", INPUT, *force)
        assert done.code == 1
        assert "RESULTS_MISSING" in done.stderr
        assert "create nothing anew" in done.stderr
        assert "so does the same command" in done.stderr
        assert (here / f"{OUT}.resume").exists()
    await account.mend()
    done = await batchgate("run", INPUT, *force)
    assert done.code == 0, done.stderr
    assert len((here / OUT).read_text().splitlines()) == 3
    assert not (here / f"{OUT}.resume").exists()
    assert await batch_count(account) == 1


@pytest.mark.usefixtures("three")
async def test_results_without_counts_are_held_against_the_input(
    batchgate: Cli, account: Account, here: Path
) -> None:
    await says(account, counts=(0, 0, 0), output=row("r1") + row("r2"))
    done = await batchgate("run", INPUT)
    assert done.code == 1
    assert "1 row of 3 are not there" in done.stderr
    assert (here / f"{OUT}.resume").exists()
    assert await batch_count(account) == 1


async def test_results_alone_and_a_watch_find_none(
    batchgate: Cli, quick: Gateway, account: Account, here: Path
) -> None:
    batch = await created(quick, line("r1") + line("r2"))
    await says(account, counts=(2, 2, 0))
    for command in (("results",), ("results", "--wait"), ("results", "--out", "out.jsonl")):
        done = await batchgate(command[0], batch.id, *command[1:])
        assert done.code == 1, command
        assert "RESULTS_MISSING" in done.stderr
        assert done.stdout == ""
    assert not (here / "out.jsonl").exists()


async def test_rows_of_an_error_file_count_more_than_the_counts(
    batchgate: Cli, quick: Gateway, account: Account
) -> None:
    batch = await created(quick, line("r1") + line("r2"))
    broken = row("r2", status=0)
    await says(account, counts=(2, 2, 0), output=row("r1"), errors=broken)
    assert (await batchgate("watch", batch.id)).code == 3
    assert (await batchgate("results", batch.id)).code == 3
    # Azure names an error file although no row failed.
    await says(account, counts=(2, 2, 0), output=row("r1") + row("r2"), errors="")
    assert (await batchgate("watch", batch.id)).code == 0
    assert (await batchgate("results", batch.id)).code == 0


@pytest.mark.usefixtures("three")
async def test_why_rows_failed(batchgate: Cli, account: Account, here: Path) -> None:
    unknown = {"error": {"type": "invalid_request_error", "message": "model \x1b[31m not found"}}
    endless = {"error": {"code": "server_error", "message": "x" * 1000}}
    failing = [row(f"a{n}", 400, unknown) for n in range(9)] + [row("b", 500, endless)]
    failing += [row(f"c{n}", 418, {"error": f"kind {n}"}) for n in range(60)]
    (here / INPUT).write_bytes(b"".join(line(f"r{n}") for n in range(70)))
    await says(account, counts=(70, 0, 70), errors="".join(failing))
    done = await batchgate("run", INPUT)
    assert done.code == 3
    first, *others = done.stdout.partition("failed   ")[2].splitlines()[:6]
    assert (
        first
        == f"400 invalid_request_error: model \N{REPLACEMENT CHARACTER}[31m not found {TIMES}9"
    )
    assert f"for other reasons {TIMES}57" in others[-1]
    assert "x" * 120 not in done.stdout
    assert "\x1b" not in done.stdout
    as_json = await batchgate("run", INPUT, "--json", "--force")
    told = as_json.json["results"]
    assert (told["failed"], told["missing"]) == (70, 0)
    assert told["reasons"][0]["count"] == 9
    assert len(told["reasons"]) == 5
    assert as_json.code == 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"p": NaN, "q": [Infinity, -Infinity, 1e5], "r": "NaN"}', {"p": None, "r": "NaN"}),
        ('{"p": "\\ud800"}', {"p": "\ud800"}),
        ('{"p": 1.50}', {"p": 1.5}),
    ],
)
async def test_a_line_is_strict_json(
    batchgate: Cli, quick: Gateway, account: Account, body: str, expected: dict[str, Any]
) -> None:
    """Some servers write numbers that JSON has not; a reader must not stumble over the whole line."""
    batch = await created(quick, line("r1"))
    content = row("r1").replace('"body": {}', f'"body": {body}')
    await says(account, counts=(1, 1, 0), output=content)
    done = await batchgate("results", batch.id)
    assert done.code == 0, done.stderr

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is not JSON")

    told = json.loads(done.stdout, parse_constant=refuse)["response"]["body"]
    assert expected.items() <= told.items()
    if body == '{"p": 1.50}':
        assert body in done.stdout, "as it came"


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("force", [(), ("--force",)])
async def test_what_is_begun_at_one_provider_is_not_paid_for_at_another(
    batchgate: Cli, account: Account, here: Path, force: tuple[str, ...]
) -> None:
    await says(account, counts=(3, 3, 0))
    assert (await batchgate("run", INPUT, "--provider", "openai")).code == 1
    await account.mend()
    refused = await batchgate("run", INPUT, "--provider", "azure", *force)
    assert refused.code == 2
    assert "go on with --provider openai" in refused.stderr
    assert await account.file_ids(azure=True) == []
    done = await batchgate("run", INPUT, "--provider", "openai", *force)
    assert done.code == 0, done.stderr
    assert await batch_count(account) == 1
