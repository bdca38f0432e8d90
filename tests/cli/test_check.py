"""`batchgate check`: faults of a batch file, each with its line, without a gateway."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from batchgate_client.cli.checking import MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_LINES
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile
from tests.cli.conftest import Cli
from tests.services.rows import line

SERVER_ONLY = ["pydantic_settings", "httpx", "aiohttp", "structlog", "starlette", "uvicorn"]


async def test_a_file_without_faults(cli: Cli, requests: Path) -> None:
    done = await cli("check", requests)
    size = requests.stat().st_size
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == (
        f"{requests}: 4 lines, {size} bytes, gpt-4o-mini, /v1/chat/completions: no faults\n"
    )


async def test_each_fault_has_its_line(cli: Cli, here: Path) -> None:
    file = here / "faulty.jsonl"
    other = line("c").replace(b"gpt-4o-mini", b"gpt-4o")
    file.write_bytes(b"".join([line("a"), b"{\n", line("a"), other]))
    done = await cli("check", file)
    assert done.code == 1
    lines = done.stdout.splitlines()
    assert [one.split(": ")[:2] for one in lines] == [
        [f"{file}:2", "invalid_json_line"],
        [f"{file}:3", "duplicate_custom_id"],
        [f"{file}:4", "model_mismatch"],
    ]
    assert "(custom_id 'a')" in lines[1]
    assert done.stderr == f"batchgate: {file}: 3 faults\n"


async def test_as_json(cli: Cli, here: Path) -> None:
    file = here / "faulty.jsonl"
    file.write_bytes(line("a") + b"[]\n")
    done = await cli("check", file, "--json")
    assert (done.code, done.stderr) == (1, "")
    (issue,) = done.json["issues"]
    assert (issue["line"], issue["code"]) == ("2", "invalid_json_line")
    assert done.json["line_count"] == "2"
    assert int(issue["byte_offset"]) == len(line("a"))


async def test_whose_rules_count(cli: Cli, here: Path) -> None:
    file = here / "bare.jsonl"
    file.write_bytes(line("a").replace(b'"/v1/', b'"/'))
    assert (await cli("check", file, "--kind", "azure_openai")).code == 0
    done = await cli("check", file)
    assert (done.code, "url_mismatch: url must be /v1/chat/completions" in done.stdout) == (1, True)


async def test_an_endpoint_that_is_none(cli: Cli, requests: Path) -> None:
    done = await cli("check", requests, "--endpoint", "/chat/completions")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == "batchgate: --endpoint must be /v1/chat/completions\n"


async def test_where_the_lines_must_go(cli: Cli, requests: Path) -> None:
    done = await cli("check", requests, "--endpoint", "/v1/embeddings")
    assert done.code == 1
    assert done.stdout.count("url_mismatch") == 4


def test_the_limits_are_those_of_the_gateway() -> None:
    openai, azure = OpenAIProfile.model_fields, AzureOpenAIProfile.model_fields
    assert openai["max_requests_per_batch"].default == MAX_LINES["openai"]
    assert azure["max_requests_per_batch"].default == MAX_LINES["azure_openai"]
    assert openai["max_line_bytes"].default == MAX_LINE_BYTES
    assert openai["max_batch_file_bytes"].default == MAX_FILE_BYTES


async def test_a_file_that_is_too_large(
    cli: Cli, requests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batchgate_client.cli.checking.Limits.of_kind", _tiny)
    done = await cli("check", requests)
    assert (done.code, "file_too_large: the file has" in done.stdout) == (1, True)


def _tiny(kind: str) -> object:
    from batchgate_client.cli.checking import Limits  # noqa: PLC0415

    return Limits(max_lines=10, max_file_bytes=10)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.jsonl", "No such file or directory"),
        (".", "Is a directory"),
        ("empty.jsonl", "is empty; a batch needs a line for each request"),
    ],
)
async def test_what_is_no_file(cli: Cli, here: Path, name: str, reason: str) -> None:
    (here / "empty.jsonl").touch()
    done = await cli("check", name)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"batchgate: {name}: {reason}\n"


async def test_lines_that_are_blank(cli: Cli, here: Path) -> None:
    (here / "blank.jsonl").write_text("\n\n")
    done = await cli("check", "blank.jsonl")
    assert (done.code, done.stdout) == (
        1,
        "blank.jsonl: empty_file: the file has no requests\n",
    )


async def test_faults_beyond_the_hundredth(cli: Cli, here: Path) -> None:
    (here / "bad.jsonl").write_text("{\n" * 150)
    done = await cli("check", "bad.jsonl")
    assert len(done.stdout.splitlines()) == 101
    assert done.stdout.splitlines()[-1].endswith("and perhaps more; the first 100 are told")


def test_no_server_is_needed(requests: Path) -> None:
    """The check is the gateway's own code; what it imports comes with the client."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in SERVER_ONLY)
    code = f"import sys\n{blocked}from batchgate_client.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "check", str(requests), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["line_count"] == "4"


async def test_a_file_that_is_something_else(cli: Cli, requests: Path, here: Path) -> None:
    packed = here / "requests.jsonl.gz"
    packed.write_bytes(gzip.compress(requests.read_bytes()))
    done = await cli("check", packed)
    assert (done.code, done.stderr) == (1, f"batchgate: {packed}: 1 fault\n")
    assert done.stdout.startswith(f"{packed}: invalid_json_line: the file is compressed with gzip")


async def test_warnings_are_no_faults(cli: Cli, here: Path) -> None:
    file = here / "streams.jsonl"
    asks = [line(str(n)).replace(b'"messages"', b'"stream": true, "messages"') for n in range(9)]
    file.write_bytes(line("a") + b"".join(asks))
    done = await cli("check", file)
    assert (done.code, done.stderr) == (0, "")
    *warnings, last = done.stdout.splitlines()
    assert [one.split(": ")[:3] for one in warnings[:3]] == [
        [f"{file}:{number}", "warning", "unsupported_value"] for number in (2, 3, 4)
    ]
    assert warnings[3:] == [f"{file}: warning: and 6 lines like these"]
    assert last.endswith(": no faults")
    assert len((await cli("check", file, "--json")).json["warnings"]) == 9
