"""A standard output that is full, closed or has lost its reader: a word, an exit code, no id lost."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from batchgate.v1 import batch_service_pb2 as pb
from tests.cli.programs import MAIN, SECONDS, variables
from tests.conftest import Account, Gateway
from tests.services.rows import batch_count, done, line

FULL, READERLESS, CLOSED = "full", "readerless", "closed"
WORDS = {
    FULL: "batchgate: cannot write to the standard output: No space left on device\n",
    READERLESS: "",
    CLOSED: "batchgate: cannot write to the standard output: Bad file descriptor\n",
}


async def unheard(output: str, *arguments: object, here: Path, address: str) -> tuple[int, str]:
    """The exit code and the standard error of a command whose answer gets nowhere."""
    before = "import os\nos.close(1)\n" if output == CLOSED else ""
    # Closed before Python itself begins, as a shell's `>&-` does.
    again = (
        f"{before}os.execv({sys.executable!r}, [{sys.executable!r}, '-c', {MAIN!r}, *sys.argv[1:]])"
    )
    code = f"import sys\n{again}" if before else MAIN
    if output == READERLESS:
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, *map(str, arguments)),
            cwd=here,
            env=variables(BATCHGATE_ADDRESS=address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writer,
            stderr=asyncio.subprocess.PIPE,
        )
    finally:
        os.close(writer)
    _, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode is not None
    return process.returncode, errors.decode()


@pytest.mark.parametrize("output", WORDS)
@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["check", "requests.jsonl"],
        ["keys", "new", "team-a"],
        ["health"],
        ["providers"],
        ["providers", "--json"],
        ["files", "list"],
        ["files", "download", "FILE"],
        ["batches", "get", "BATCH"],
        ["results", "BATCH"],
    ],
    ids=" ".join,
)
async def test_a_command_ends_with_a_word(
    quick: Gateway, here: Path, requests: Path, arguments: list[str], output: str
) -> None:
    assert requests.exists()
    batch = await done(quick, line("a"))
    real = {"FILE": batch.input_file_id, "BATCH": batch.id}
    arguments = [real.get(one, one) for one in arguments]
    ended = await unheard(output, *arguments, here=here, address=quick.address)
    assert ended == (1, WORDS[output])


@pytest.mark.parametrize("output", WORDS)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("command", ["upload", "create", "retry", "submit"])
async def test_an_id_is_told_on_the_other_way(
    quick: Gateway,
    *,
    here: Path,
    requests: Path,
    account: Account,
    command: str,
    form: list[str],
    output: str,
) -> None:
    arguments: list[object] = ["submit", requests]
    if command == "upload":
        arguments = ["files", "upload", requests]
    elif command != "submit":
        batch = await done(quick, line("a", fail=503))
        one = batch.input_file_id if command == "create" else batch.id
        arguments = ["batches", command, one]
    before, files = await batch_count(account), {*await account.file_ids()}
    code, errors = await unheard(output, *arguments, *form, here=here, address=quick.address)
    what = "file" if command == "upload" else "batch"
    told = re.fullmatch(f"batchgate: {what} (\\S+) was created\n{WORDS[output]}", errors)
    assert told, errors
    assert code == 1
    if command == "upload":
        assert {told[1]} == {*await account.file_ids()} - files
    else:
        assert await batch_count(account) == before + 1
        request = pb.GetBatchRequest(batch_id=told[1])
        assert (await quick.batches.GetBatch(request)).batch.id == told[1]


@pytest.mark.parametrize("output", WORDS)
async def test_a_run_has_told_its_id_already(
    quick: Gateway, here: Path, requests: Path, output: str
) -> None:
    code, errors = await unheard(output, "run", requests, here=here, address=quick.address)
    assert code == 3, "the rows' outcome says more"
    assert re.search(r"^created +batch_\S+$", errors, re.MULTILINE)
    assert "Traceback" not in errors
    assert len((here / "requests.results.jsonl").read_text().splitlines()) == 4


POSIX = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
UNNAMED = os.fsdecode(b"r\xff.jsonl")
OPTIONS = ["--metadata", "team=grün 🌱", "--json"]


async def told(*arguments: str, here: Path, address: str, **more: str) -> tuple[int, str, str]:
    """The exit code and what a command says in an environment of few characters."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", MAIN),
        *map(os.fsencode, arguments),
        cwd=here,
        env=variables(BATCHGATE_ADDRESS=address, **more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


@pytest.mark.parametrize("name", ["grün.jsonl", UNNAMED], ids=["utf-8", "bytes"])
@pytest.mark.parametrize("more", [{}, POSIX], ids=["utf-8", "ascii"])
@pytest.mark.parametrize("command", ["upload", "submit", "run", "check"])
async def test_names_and_texts_beyond_the_encoding(
    quick: Gateway, *, here: Path, requests: Path, name: str, command: str, more: dict[str, str]
) -> None:
    requests.rename(here / name)
    words = {
        "upload": ["files", "upload", name, "--json"],
        "submit": ["submit", name, *OPTIONS],
        "run": ["run", name, *OPTIONS],
        "check": ["check", name],
    }[command]
    code, output, errors = await told(*words, here=here, address=quick.address, **more)
    assert "Traceback" not in errors, errors
    assert code == (3 if command == "run" else 0), errors
    if command == "check":
        assert "no faults" in output
        return
    answer = json.loads(output)
    if command == "upload":
        assert answer["filename"] == name.encode(errors="surrogateescape").decode(errors="replace")
    else:
        assert answer["batch"]["metadata"]["team"] == "grün 🌱"


async def test_a_text_that_is_not_utf8(quick: Gateway, here: Path) -> None:
    words = ("batches", "get", os.fsdecode(b"batch_\xff"))
    code, output, errors = await told(*words, here=here, address=quick.address)
    assert (code, output, errors) == (2, "", "batchgate: batch-id: is not UTF-8\n")
