"""`batchgate submit`: rows from JSON lines, or from a table and a template."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Done
from tests.conftest import Account, Gateway
from tests.services.rows import batch_count, ended, line, metadata_at

REVIEWS = '\ufeffnumber,text,stars\n7,So good!,5\n9,"Bad, {very} bad",1\n'


@pytest.fixture
def reviews(here: Path) -> Path:
    path = here / "reviews.csv"
    path.write_text(REVIEWS, encoding="utf-8")
    return path


async def sent(quick: Gateway, submitted: Done) -> list[dict[str, Any]]:
    """The lines that the provider got."""
    assert submitted.code == 0, submitted.stderr
    batch = submitted.json["batch"]
    await ended(quick, batch["id"])
    content = await quick.download(batch["input_file_id"])
    return [json.loads(one) for one in content.splitlines()]


async def test_bodies(batchgate: Cli, quick: Gateway, here: Path) -> None:
    (here / "bodies.jsonl").write_text('{"input": "a", "n": 1.0}\n\n{"input": "b", "model": "x"}\n')
    options = ("--endpoint", "/v1/embeddings", "--model", "x", "--metadata", "team=blue", "--json")
    submitted = await batchgate("submit", "bodies.jsonl", *options)
    assert [
        (one["custom_id"], one["url"], one["body"]) for one in await sent(quick, submitted)
    ] == [
        ("row-1", "/v1/embeddings", {"input": "a", "n": 1.0, "model": "x"}),
        ("row-3", "/v1/embeddings", {"input": "b", "model": "x"}),
    ]
    assert submitted.json["batch"]["metadata"] == {"team": "blue"}
    assert submitted.json["file"]["filename"] == "bodies.jsonl"


async def test_whole_lines(batchgate: Cli, quick: Gateway, here: Path) -> None:
    (here / "lines.jsonl").write_bytes(
        line("ü") + b'{"custom_id": "b", "body": {"model": "gpt-4o-mini"}}\n'
    )
    submitted = await batchgate("submit", "lines.jsonl", "--json")
    assert [one["custom_id"] for one in await sent(quick, submitted)] == ["ü", "b"]


async def test_a_byte_order_mark(batchgate: Cli, quick: Gateway, here: Path) -> None:
    (here / "marked.jsonl").write_text('{"input": "a"}\n{"input": "b"}\n', encoding="utf-8-sig")
    options = ("--endpoint", "/v1/embeddings", "--model", "x", "--json")
    submitted = await batchgate("submit", "marked.jsonl", *options)
    assert [one["body"]["input"] for one in await sent(quick, submitted)] == ["a", "b"]


async def test_a_long_cell(batchgate: Cli, quick: Gateway, here: Path) -> None:
    prompt = "ü" * 200_000
    (here / "long.csv").write_text(f"text\n{prompt}\n", encoding="utf-8")
    options = ("--column", "text", "--model", "m", "--json")
    (only,) = await sent(quick, await batchgate("submit", "--csv", "long.csv", *options))
    assert only["body"]["messages"][0]["content"] == prompt


async def test_a_row_too_large_for_a_message(batchgate: Cli, here: Path, account: Account) -> None:
    (here / "large.jsonl").write_text(json.dumps({"input": "x" * 5_000_000}) + "\n")
    refused = await batchgate("submit", "large.jsonl", "--model", "m")
    assert (refused.code, refused.stdout) == (2, "")
    assert "put the rows into a batch file: see `batchgate run`" in refused.stderr
    assert await batch_count(account) == 0


async def test_a_table_and_a_template(batchgate: Cli, quick: Gateway, reviews: Path) -> None:
    submitted = await batchgate(
        *("submit", "--csv", reviews, "--id-column", "number", "--model", "gpt-4o-mini"),
        *(
            "--template",
            "Is {{this}} praise? {text} ({stars})",
            "--system",
            "Say yes or no.",
            "--json",
        ),
    )
    lines = await sent(quick, submitted)
    assert [one["custom_id"] for one in lines] == ["7", "9"]
    assert [one["body"]["messages"] for one in lines] == [
        [
            {"role": "system", "content": "Say yes or no."},
            {"role": "user", "content": prompt},
        ]
        for prompt in ("Is {this} praise? So good! (5)", "Is {this} praise? Bad, {very} bad (1)")
    ]
    assert submitted.json["file"]["filename"] == "reviews.jsonl"


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/responses", {"input": "So good!"}),
        ("/v1/embeddings", {"input": "So good!"}),
        ("/v1/moderations", {"input": "So good!"}),
        ("/v1/completions", {"prompt": "So good!"}),
    ],
)
async def test_a_column_alone(
    batchgate: Cli, quick: Gateway, reviews: Path, endpoint: str, body: dict[str, str]
) -> None:
    options = ("--column", "text", "--endpoint", endpoint, "--model", "m", "--json")
    first, _ = await sent(quick, await batchgate("submit", "--csv", reviews, *options))
    assert (first["custom_id"], first["body"]) == ("row-1", {**body, "model": "m"})


async def test_another_delimiter(batchgate: Cli, quick: Gateway, here: Path) -> None:
    (here / "table.tsv").write_text("id\ttext\na\tHi, you\n\n")
    options = ("--column", "text", "--delimiter", "\\t", "--model", "m", "--json")
    (only,) = await sent(quick, await batchgate("submit", "--csv", "table.tsv", *options))
    assert only["body"]["messages"][0]["content"] == "Hi, you"


async def test_what_comes_next(batchgate: Cli, reviews: Path) -> None:
    submitted = await batchgate("submit", "--csv", reviews, "--column", "text", "--model", "m")
    (batch_id,) = (
        one.split()[1] for one in submitted.stdout.splitlines() if one.startswith("batch.id")
    )
    assert submitted.stderr == f"follow it with: batchgate watch {batch_id}\n"


async def test_what_comes_next_at_another_provider(batchgate: Cli, reviews: Path) -> None:
    options = ("--column", "text", "--model", "gpt-4o-mini", "--provider", "azure")
    submitted = await batchgate("submit", "--csv", reviews, *options)
    assert submitted.code == 0, submitted.stderr
    words = submitted.stderr.removeprefix("follow it with: batchgate ").split()
    assert words[0] == "watch"
    assert words[2:] == ["--provider", "azure"]
    watched = await batchgate(*words)
    assert watched.code in (0, 3), watched.stderr


async def test_twice_under_one_id(batchgate: Cli, reviews: Path, account: Account) -> None:
    command = ("submit", "--csv", reviews, "--column", "text", "--model", "m", "--json")
    first, again = [await batchgate(*command, "--request-id", "Monday") for _ in range(2)]
    batch_id = first.json["batch"]["id"]
    assert batch_id == again.json["batch"]["id"]
    assert await batch_count(account) == 1
    kept = (await metadata_at(account, batch_id))["batchgate_request_id"]
    assert kept.startswith("Monday #1:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give either a file of JSON lines, or --csv"),
        (["x.jsonl", "--csv", "reviews.csv"], "give either a file of JSON lines, or --csv"),
        (["--csv", "reviews.csv"], "--csv needs --column or --template"),
        (["--csv", "missing.csv", "--column", "text"], "missing.csv: No such file or directory"),
        (["--csv", ".", "--column", "text"], ".: Is a directory"),
        (["missing.jsonl"], "missing.jsonl: No such file or directory"),
        (
            ["--csv", "reviews.csv", "--column", "txt"],
            (
                "--column: reviews.csv has no column 'txt'; did you mean 'text'? "
                "It has: number, text, stars"
            ),
        ),
        (
            ["--csv", "reviews.csv", "--column", "text", "--id-column", "id"],
            "--id-column: reviews.csv has no column 'id'. It has: number, text, stars",
        ),
        (
            ["--csv", "reviews.csv", "--template", "{text} }"],
            "--template: a brace stands alone at 8; write }} for one that is meant",
        ),
        (
            ["--csv", "reviews.csv", "--column", "text", "--endpoint", "/v1/images"],
            (
                "--csv makes bodies for /v1/chat/completions, /v1/responses, /v1/embeddings, "
                "/v1/moderations, /v1/completions, not for /v1/images"
            ),
        ),
        (
            ["--csv", "reviews.csv", "--column", "text", "--delimiter", "::"],
            "--delimiter is one character, or \\t",
        ),
        (
            ["--csv", "ragged.csv", "--column", "a"],
            "ragged.csv:3: has 3 values for 2 columns; is --delimiter right?",
        ),
        (["--csv", "latin.csv", "--column", "a"], "latin.csv: is not UTF-8; save it as such"),
        (["--csv", "quote.csv", "--column", "a"], "quote.csv: is no CSV: unexpected end of data"),
        (["--csv", "head.csv", "--column", "a"], "head.csv: has no rows"),
        (["blank.jsonl"], "blank.jsonl: has no rows"),
        (["empty.jsonl"], "empty.jsonl: is empty; a batch needs a line for each request"),
        (["list.jsonl"], "list.jsonl:2: is no JSON object in UTF-8"),
        (["number.jsonl"], "number.jsonl:1: custom_id must be a string"),
        (
            ["--csv", "ids.csv", "--column", "b", "--id-column", "a"],
            "ids.csv:3: has no id in 'a'",
        ),
        (["url.jsonl"], "url.jsonl:1: its url is not --endpoint /v1/chat/completions"),
    ],
)
async def test_what_is_refused(
    batchgate: Cli,
    *,
    here: Path,
    reviews: Path,
    account: Account,
    options: list[str],
    message: str,
) -> None:
    for name, content in {
        "ragged.csv": b"a,b\n1,2\n1,2,3\n",
        "latin.csv": b"a\n\xe4\n",
        "quote.csv": b'a\n"never ended\n',
        "head.csv": b"a,b\n",
        "ids.csv": b"a,b\n1,2\n,3\n",
        "blank.jsonl": b"\n\n",
        "empty.jsonl": b"",
        "list.jsonl": b'{"messages": []}\n[]\n',
        "number.jsonl": b'{"custom_id": 1, "body": {}}\n',
        "url.jsonl": b'{"custom_id": "1", "url": "/v1/responses", "body": {}}\n',
    }.items():
        (here / name).write_bytes(content)
    refused = await batchgate("submit", *options, "--model", "m")
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr == f"batchgate: {message}\n"
    assert not await account.file_ids()
    assert await batch_count(account) == 0


async def test_faulty_rows_are_told_by_the_gateway(batchgate: Cli, here: Path) -> None:
    (here / "twice.jsonl").write_text('{"custom_id": "a", "body": {}}\n' * 2)
    refused = await batchgate("submit", "twice.jsonl", "--model", "m")
    assert refused.code == 2
    assert refused.stderr.startswith("batchgate: INVALID_JSONL: ")
    assert "lines[1]" in refused.stderr
