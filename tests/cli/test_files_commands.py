"""`batchgate files`: what a provider keeps."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.programs import program
from tests.conftest import PROFILES, Account, Gateway
from tests.services.rows import line


async def test_up_and_down(batchgate: Cli, requests: Path, here: Path) -> None:
    uploaded = await batchgate("files", "upload", requests, "--json")
    assert (uploaded.code, uploaded.stderr) == (0, "")
    file_id = uploaded.json["id"]
    assert uploaded.json["filename"] == "requests.jsonl"
    assert int(uploaded.json["size_bytes"]) == requests.stat().st_size

    done = await batchgate("files", "download", file_id, "--out", "again.jsonl")
    size = requests.stat().st_size
    assert (done.code, done.stdout) == (0, f"again.jsonl: {size} bytes\n")
    assert (here / "again.jsonl").read_bytes() == requests.read_bytes()
    assert not list(here.glob("*.part"))
    poured = await batchgate("files", "download", file_id)
    assert poured.stdout.encode() == requests.read_bytes()


@pytest.mark.parametrize("provider", PROFILES)
async def test_look_and_delete(batchgate: Cli, requests: Path, provider: str) -> None:
    option = ("--provider", provider)
    uploaded = await batchgate("files", "upload", requests, "--wait", *option, "--json")
    file_id = uploaded.json["id"]
    got = await batchgate("files", "get", file_id, *option)
    assert f"id           {file_id}\n" in got.stdout
    assert "status_text  processed\n" in got.stdout
    listed = await batchgate("files", "list", BATCHGATE_PROVIDER=provider)
    head, row = listed.stdout.splitlines()
    assert head.split()[:4] == ["id", "filename", "purpose", "size_bytes"]
    assert row.split()[:3] == [file_id, "requests.jsonl", "batch"]
    deleted = await batchgate("files", "delete", file_id, *option, "--json")
    assert deleted.json == {"file_id": file_id, "deleted": True}
    nothing = await batchgate("files", "list", *option)
    assert (nothing.code, nothing.stdout, nothing.stderr) == (0, "", "no files\n")


async def test_a_long_list(batchgate: Cli, requests: Path) -> None:
    for _ in range(3):
        await batchgate("files", "upload", requests)
    assert len((await batchgate("files", "list", "--json", "--limit", 2)).rows) == 2
    assert len((await batchgate("files", "list", "--json", "--limit", 0)).rows) == 3
    nothing = await batchgate("files", "list", "--purpose", "fine-tune", "--json")
    assert (nothing.stdout, nothing.stderr) == ("", "")


async def test_faulty_lines_are_told_each(batchgate: Cli, here: Path, account: Account) -> None:
    (here / "faulty.jsonl").write_text("1\n[]\n")
    done = await batchgate("files", "upload", "faulty.jsonl")
    assert (done.code, done.stdout) == (2, "")
    first, *rest = done.stderr.splitlines()
    assert first.startswith("batchgate: INVALID_JSONL: ")
    assert len(rest) == 2
    assert rest[0].startswith("  line 1")
    assert not await account.file_ids()
    unchecked = await batchgate("files", "upload", "faulty.jsonl", "--no-check")
    assert unchecked.code == 0


async def test_how_long_it_is_kept(batchgate: Cli, requests: Path) -> None:
    kept = await batchgate("files", "upload", requests, "--expires-after", "2h", "--json")
    assert kept.code == 0
    wrong = await batchgate("files", "upload", requests, "--expires-after", "2 weeks")
    assert (wrong.code, wrong.stderr) == (
        2,
        "batchgate: --expires-after is as 14d, 36h, 90m, or seconds, not '2 weeks'\n",
    )


@pytest.mark.parametrize(
    ("name", "reason"), [("missing", "No such file or directory"), (".", "Is a directory")]
)
async def test_what_is_no_file(batchgate: Cli, name: str, reason: str) -> None:
    done = await batchgate("files", "upload", name)
    assert (done.code, done.stderr) == (2, f"batchgate: {name}: {reason}\n")


async def test_a_download_goes_on_where_it_broke_off(
    batchgate: Cli, requests: Path, here: Path, account: Account
) -> None:
    file_id = (await batchgate("files", "upload", requests, "--json")).json["id"]
    part = here / f"out.jsonl.{file_id}.part"
    part.write_bytes(requests.read_bytes()[:100])
    done = await batchgate("files", "download", file_id, "--out", "out.jsonl")
    assert done.code == 0
    assert (here / "out.jsonl").read_bytes() == requests.read_bytes()
    assert not part.exists()
    ranges = [
        one["headers"].get("range")
        for one in await account.requests()
        if one["path"].endswith("/content")
    ]
    assert ranges == ["bytes=100-"]


async def test_nothing_is_overwritten_unasked(batchgate: Cli, requests: Path) -> None:
    file_id = (await batchgate("files", "upload", requests, "--json")).json["id"]
    digest = hashlib.sha256(requests.read_bytes()).digest()
    for name, reason in (
        (requests.name, "is there already; --force replaces it"),
        (".", "is a directory"),
    ):
        done = await batchgate("files", "download", file_id, "--out", name)
        assert (done.code, done.stderr) == (2, f"batchgate: {name}: {reason}\n")
    assert hashlib.sha256(requests.read_bytes()).digest() == digest
    forced = await batchgate("files", "download", file_id, "--out", requests.name, "--force")
    assert forced.code == 0


async def test_an_unknown_id(batchgate: Cli, here: Path) -> None:
    for words in (("get",), ("delete",), ("download",), ("download", "--out", "x")):
        done = await batchgate("files", words[0], "file-nope", *words[1:])
        assert (done.code, done.stdout) == (2, "")
        first, hint = done.stderr.splitlines()
        assert first.startswith("batchgate: PROVIDER_NOT_FOUND: ")
        assert "`batchgate files list`" in hint
    assert not list(here.glob("x*"))


async def test_a_disk_with_too_little_room(batchgate: Cli, quick: Gateway, here: Path) -> None:
    """The system's own limit on a file's size, in place of a disk."""
    content = b"".join(line(f"row-{n}", text="x" * 500) for n in range(2000))
    file = (await quick.upload(content)).file
    command = ("files", "download", file.id, "--out", "out.jsonl")
    async with program(*command, here=here, address=quick.address, limit_bytes=300_000) as full:
        end = await full.end()
    assert end.code == 1
    assert end.stderr == (
        "batchgate: out.jsonl: File too large; the same command goes on where it broke off\n"
    )
    (part,) = here.iterdir()
    assert 0 < part.stat().st_size <= 300_000
    assert (await batchgate(*command)).code == 0
    assert [path.name for path in here.iterdir()] == ["out.jsonl"]
    assert (here / "out.jsonl").read_bytes() == content


async def test_many_faults_are_not_all_told(batchgate: Cli, here: Path) -> None:
    (here / "bad.jsonl").write_text("{\n" * 50)
    refused = await batchgate("files", "upload", "bad.jsonl")
    assert len(refused.stderr.splitlines()) == 22
    assert refused.stderr.splitlines()[-1] == "  and 30 more"
