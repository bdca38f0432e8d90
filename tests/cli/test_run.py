"""`batchgate run`: from the check to the results, and each way in which it can end."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_client.cli import again, running, transfers
from batchgate_client.cli.connection import Connection
from batchgate_client.cli.summary import duration_text
from batchgate_client.errors import Details, GatewayUnreachable
from tests.cli.conftest import Cli
from tests.conftest import Account, Gateway, OpenGateway, profiles
from tests.secret_search import secret
from tests.services.rows import batch_count, line, metadata_at
from tests.waiting import eventually

OUT = "requests.results.jsonl"


def ids(path: Path) -> list[str]:
    return sorted(json.loads(row)["custom_id"] for row in path.read_text().splitlines())


async def test_all_in_one(batchgate: Cli, requests: Path, here: Path) -> None:
    done = await batchgate("run", requests)
    assert done.code == 3
    steps = [one.split()[0] for one in done.stderr.splitlines()]
    assert steps[:6] == ["checking", "checked", "uploading", "uploaded", "creating", "created"]
    assert done.stderr.splitlines()[-2:] == [
        "completed   3 of 4 done, 1 failed",
        f"results     into {OUT}",
    ]
    assert "\x1b" not in done.stdout + done.stderr
    facts = dict(one.split(maxsplit=1) for one in done.stdout.splitlines())
    assert facts["batch"].endswith(", completed")
    assert facts["rows"] == "3 succeeded, 1 failed"
    assert facts["failed"] == "503 server_error: The line asked to fail. ×1"  # noqa: RUF001 - as it is shown
    assert facts["tokens"].endswith(" in all")
    assert facts["results"] == OUT
    assert ids(here / OUT) == ["a", "b", "c", "d"]
    assert {path.name for path in here.iterdir()} == {"requests.jsonl", OUT}


@pytest.mark.parametrize("provider", ["azure", "azure-dated"])
async def test_as_json_on_azure(
    batchgate: Cli, here: Path, account: Account, provider: str
) -> None:
    (here / "good.jsonl").write_bytes(line("a") + line("b"))
    options = ("--provider", provider, "--out", "out.jsonl", "--metadata", "team=blue", "--json")
    done = await batchgate("run", "good.jsonl", *options)
    assert done.code == 0, done.stderr
    answer = done.json
    assert answer["batch"]["status"] == "BATCH_STATUS_COMPLETED"
    assert answer["batch"]["metadata"] == {"team": "blue"}
    counted = {"succeeded": 2, "failed": 0, "missing": 0, "reasons": []}
    assert answer["results"] == {"path": "out.jsonl", **counted}
    assert answer["usage"]["total_tokens"] > 0
    assert account.key not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("outcome", "rows"), [("failed", None), ("expired", ["a", "b"]), ("stalled", ["a"])]
)
async def test_a_batch_that_does_not_complete(
    batchgate: Cli, quick: Gateway, here: Path, outcome: str, rows: list[str] | None
) -> None:
    (here / "requests.jsonl").write_bytes(line("a") + line("b"))
    running_one = asyncio.create_task(
        batchgate("run", "requests.jsonl", "--metadata", f"sandbox_outcome={outcome}")
    )
    if outcome == "stalled":
        await cancelled(quick)
    done = await running_one
    assert done.code == 4
    if rows is None:
        assert "error       invalid_request: The batch was asked to fail." in done.stderr
        assert not (here / OUT).exists()
    else:
        assert ids(here / OUT) == rows
    assert not (here / f"{OUT}.resume").exists()


async def cancelled(quick: Gateway) -> None:
    """Cancels the one batch, once it has a row."""

    async def with_a_row() -> str:
        batches = (await quick.batches.ListBatches(pb.ListBatchesRequest())).batches
        return "".join(one.id for one in batches if one.request_counts.completed)

    await quick.batches.CancelBatch(pb.CancelBatchRequest(batch_id=await eventually(with_a_row)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jsonl", "missing.jsonl: No such file or directory"),
        (".", ".: Is a directory"),
        ("/dev/zero", "/dev/zero: is no regular file, and is read twice"),
        ("empty.jsonl", "empty.jsonl: is empty; a batch needs a line for each request"),
    ],
)
async def test_what_is_no_batch_file(
    batchgate: Cli, here: Path, account: Account, name: str, message: str
) -> None:
    (here / "empty.jsonl").touch()
    refused = await batchgate("run", name, "--out", "out.jsonl")
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[-1] == f"batchgate: {message}"
    assert not (here / "out.jsonl").exists()
    assert not await account.file_ids()


async def test_warnings_are_shown_and_sent(batchgate: Cli, here: Path) -> None:
    asks = line("a").replace(b'"messages"', b'"stream": true, "messages"')
    (here / "requests.jsonl").write_bytes(asks)
    done = await batchgate("run", "requests.jsonl")
    assert done.code == 0, done.stderr
    warning, *_ = [one for one in done.stderr.splitlines() if one.startswith("warning")]
    assert warning.split(maxsplit=1)[1].startswith("requests.jsonl:1: unsupported_value: ")


async def test_faulty_lines_are_not_sent(batchgate: Cli, here: Path, account: Account) -> None:
    (here / "requests.jsonl").write_bytes(line("a") + line("a") + b"{\n")
    refused = await batchgate("run", "requests.jsonl")
    assert refused.code == 2
    _, first, *rest = refused.stderr.splitlines()
    assert first == "batchgate: requests.jsonl: faulty lines; nothing was sent"
    assert rest[0].startswith("  requests.jsonl:2: duplicate_custom_id: ")
    assert rest[1].startswith("  requests.jsonl:3: invalid_json_line: ")
    assert not [one for one in await account.requests() if one["method"] == "POST"]


async def test_a_provider_that_there_is_not(batchgate: Cli, requests: Path) -> None:
    refused = await batchgate("run", requests, "--provider", "opnai")
    assert refused.code == 2
    assert refused.stderr.splitlines() == [
        (
            "batchgate: no provider is named 'opnai'; there are: "
            "openai, azure, azure-dated, azure-preview"
        ),
        "  did you mean --provider openai?",
    ]


async def test_nothing_is_overwritten_unasked(
    batchgate: Cli, requests: Path, here: Path, account: Account
) -> None:
    (here / OUT).write_text("precious\n")
    refused = await batchgate("run", requests)
    assert refused.code == 2
    assert refused.stderr.splitlines()[-1] == (
        f"batchgate: {OUT}: is there already, and whole or not ours; --force replaces it"
    )
    assert (here / OUT).read_text() == "precious\n"
    assert not await account.file_ids()
    assert (await batchgate("run", requests, "--force")).code == 3


async def test_a_refused_creation_goes_on_with_the_uploaded_file(
    batchgate: Cli, requests: Path, here: Path, account: Account
) -> None:
    refused = await batchgate("run", requests, "--window", "3h")
    assert refused.code == 2
    (file_id,) = await account.file_ids()
    assert f"{file_id} is uploaded" in refused.stderr
    assert "the same command goes on" in refused.stderr
    done = await batchgate("run", requests)
    assert done.code == 3
    assert f"going on    {file_id}" in done.stderr
    assert "uploaded" not in done.stderr
    assert ids(here / OUT) == ["a", "b", "c", "d"]


async def test_an_unclear_creation_is_found_again(
    batchgate: Cli, requests: Path, account: Account
) -> None:
    await account.fault(kind="reset", method="POST", path="/v1/batches", process=True)
    await account.fault(
        kind="answer", method="GET", path="/v1/batches", status=500, skip=1, times=9
    )
    unclear = await batchgate("run", requests)
    assert unclear.code == 5
    assert "OUTCOME_UNKNOWN" in unclear.stderr
    assert "it finds that batch, or creates it" in unclear.stderr
    await account.mend()
    assert (await batchgate("run", requests)).code == 3
    assert await batch_count(account) == 1
    assert len([one for one in await account.requests() if one["path"] == "/v1/files"]) == 1


async def test_a_credential_that_is_refused_in_the_middle(
    batchgate: Cli, requests: Path, here: Path, account: Account
) -> None:
    """The batch goes on at the provider; and once that is mended, so does the same command."""
    await account.fault(kind="answer", method="GET", path="/v1/batches/*", status=401, times=None)
    broken = await batchgate("run", requests)
    assert broken.code == 1
    assert "PROVIDER_CREDENTIAL_REJECTED" in broken.stderr
    assert "goes on, and nothing is lost; so does the same command, or:" in broken.stderr
    await account.mend()
    assert (await batchgate("run", requests)).code == 3
    assert await batch_count(account) == 1
    assert ids(here / OUT) == ["a", "b", "c", "d"]


async def test_a_quota_that_is_used_up(
    batchgate: Cli, requests: Path, here: Path, account: Account
) -> None:
    body = {
        "error": {
            "message": "No money.",
            "type": "insufficient_quota",
            "code": "insufficient_quota",
        }
    }
    await account.fault(kind="answer", method="POST", path="/v1/files", status=429, body=body)
    refused = await batchgate("run", requests)
    assert refused.code == 5
    assert "PROVIDER_QUOTA_EXCEEDED" in refused.stderr
    assert "no batch was created; the same command begins anew" in refused.stderr
    assert {path.name for path in here.iterdir()} == {"requests.jsonl"}


async def test_another_input_for_the_same_results(
    batchgate: Cli, requests: Path, here: Path
) -> None:
    await batchgate("run", requests, "--window", "3h")
    requests.write_bytes(line("other"))
    refused = await batchgate("run", requests)
    assert refused.code == 2
    assert refused.stderr.splitlines()[-1] == (
        f"batchgate: {OUT}.resume: is of another input; "
        "name another file with --out, or begin anew with --force"
    )
    assert (await batchgate("run", requests, "--force")).code == 0
    assert ids(here / OUT) == ["other"]


async def test_the_gateway_goes_away_while_a_file_goes_up(
    batchgate: Cli, requests: Path, monkeypatch: pytest.MonkeyPatch, account: Account
) -> None:
    """As gRPC tells it; then it is there again."""
    upload, tries = transfers.upload_file, 0

    def broken(*args: Any, **options: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise GatewayUnreachable(grpc.StatusCode.UNAVAILABLE, Details())
        return upload(*args, **options)

    monkeypatch.setattr(running, "upload_file", broken)
    done = await batchgate("run", requests)
    assert (done.code, tries) == (3, 2)
    assert await batch_count(account) == 1


async def test_the_request_id_is_the_runs_own(
    batchgate: Cli, requests: Path, account: Account
) -> None:
    for _ in range(2):
        assert (await batchgate("run", requests, "--force")).code == 3
    assert await batch_count(account) == 2, "another run is another batch"
    done = await batchgate("batches", "list", "--json")
    keys = {(await metadata_at(account, one["id"]))["batchgate_request_id"] for one in done.rows}
    assert len(keys) == 2


async def test_a_disk_that_is_full_from_the_beginning(batchgate: Cli, requests: Path) -> None:
    full = await batchgate("run", requests, "--out", "/dev/full")
    assert full.code == 1
    first, second, watch, results = full.stderr.splitlines()[-4:]
    assert first == "batchgate: /dev/full: No space left on device"
    assert second.endswith(" goes on, and nothing is lost; so does the same command, or:")
    assert watch.startswith("  batchgate watch batch_")
    assert results.startswith("  batchgate results batch_")


async def test_several_providers_and_no_default(
    cli: Cli, open_gateway: OpenGateway, account: Account, requests: Path
) -> None:
    gateway = await open_gateway({"providers": profiles(account)})
    refused = await cli("run", requests, "--address", gateway.address)
    assert refused.code == 2
    assert refused.stderr.splitlines() == [
        "batchgate: several providers, and no default: name one with --provider",
        "  openai, azure, azure-dated, azure-preview",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.25, "1.2 s"), (185.9, "3 min 5 s"), (7805, "2 h 10 min")]
)
def test_how_long_it_took(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_line_that_goes_on_leads_to_the_same_gateway(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection(
        address="gateway:1",
        provider="azure-eu",
        token=secret("bg_of-the-line"),
        tls=True,
        json=True,
    )
    line = "batchgate watch batch_1 --address gateway:1 --provider azure-eu --tls"
    monkeypatch.delenv("BATCHGATE_ADDRESS", raising=False)
    assert again.command(connection, "watch", "batch_1") == line
    monkeypatch.setenv("BATCHGATE_ADDRESS", "gateway:1")
    short = line.replace(" --address gateway:1", "")
    assert again.command(connection, "watch", "batch_1") == short


async def test_a_provider_that_is_down_for_a_while(
    batchgate: Cli, requests: Path, account: Account
) -> None:
    """Nothing is created yet: it is tried again, and said why."""
    await account.fault(
        kind="answer", method="POST", path="/v1/files", status=503, headers={"retry-after": "0"}
    )
    done = await batchgate("run", requests)
    assert done.code == 3
    assert "waiting     PROVIDER_UNAVAILABLE; trying again" in done.stderr
    assert "going on    there is an answer again" in done.stderr
