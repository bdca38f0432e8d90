import asyncio
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from batchgate_sandbox.__main__ import run
from batchgate_sandbox.app import create_app
from batchgate_sandbox.pace import pace_of
from batchgate_sandbox.server import SandboxServer, sandbox_in_thread

FORM = {"purpose": (None, b"batch"), "file": ("a.jsonl", b"x")}
KEY = {"authorization": "Bearer k"}


def start(**options: object) -> subprocess.Popen[str]:
    wanted = {"listen": "127.0.0.1:0", "speed": "fast", "directory": None} | options
    code = (
        "from pathlib import Path, PosixPath\n"
        "from batchgate_sandbox.__main__ import run\n"
        f"run(**{wanted!r})"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_and_ends_well(number: signal.Signals, tmp_path: Path) -> None:
    with start(directory=tmp_path) as child:
        assert child.stdout is not None
        told = child.stdout.readline()
        match = re.match(
            r"batchgate sandbox: listening on (http://127\.0\.0\.1:\d+) \(speed fast; "
            r"OpenAI: \1/v1, Azure OpenAI: \1, Azure OpenAI v1: \1/openai/v1\)\n$",
            told,
        )
        assert match, told
        answer = httpx.post(f"{match[1]}/v1/files", files=FORM, headers=KEY)
        child.send_signal(number)
        out, err = child.communicate(timeout=10)
    assert (child.returncode, out, err) == (0, "", "")
    assert (tmp_path / answer.json()["id"]).read_bytes() == b"x"


def test_a_port_in_use_is_an_error_before_anything_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match="in use"):
            run(listen=listen, speed="fast", directory=None)


@pytest.mark.parametrize(
    ("listen", "speed"), [("127.0.0.1", "fast"), ("127.0.0.1:x", "fast"), ("127.0.0.1:0", "warp")]
)
def test_arguments_that_make_no_sense(listen: str, speed: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        run(listen=listen, speed=speed, directory=None)


def test_real_batches_take_their_time() -> None:
    pace = pace_of("real")
    assert 20 < pace.step * (pace.slices + 2) < 300
    assert pace_of("fast").step * (pace_of("fast").slices + 2) < 1.2
    assert pace_of("real", step=0.5).step == 0.5


async def test_it_runs_in_the_loop_that_is_there() -> None:
    async with SandboxServer(listen="[::1]:0", step=0.01) as sandbox, httpx.AsyncClient() as client:
        assert sandbox.url.startswith("http://[::1]:")
        assert sandbox.openai_url == f"{sandbox.url}/v1"
        answer = await client.get(f"{sandbox.openai_url}/files", headers=KEY)
        assert answer.json()["data"] == []
        assert asyncio.get_running_loop().is_running()
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{sandbox.url}/_sandbox/health")


def test_a_temporary_directory_is_removed_at_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with sandbox_in_thread() as sandbox:
        httpx.post(f"{sandbox.openai_url}/files", files=FORM, headers=KEY)
        (made,) = tmp_path.iterdir()
        assert len(list(made.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_thread_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileExistsError), sandbox_in_thread(directory=tmp_path / "file"):
        pass


async def test_the_application_can_be_called_without_a_server(tmp_path: Path) -> None:
    app = create_app(directory=tmp_path, pace=pace_of("fast"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        answer = await client.get("/v1/files", headers=KEY)
        assert answer.json()["data"] == []
