"""`batchgate sandbox`: what it hands on, and what it says."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

import batchgate_sandbox.__main__
from batchgate_client.cli.program import app


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"listen": "127.0.0.1:8085", "speed": "fast", "directory": None}),
        (
            ["--listen", "127.0.0.1:0", "--speed", "real", "--dir", "/tmp/x"],
            {"listen": "127.0.0.1:0", "speed": "real", "directory": Path("/tmp/x")},
        ),
    ],
)
def test_options(
    monkeypatch: pytest.MonkeyPatch, options: list[str], expected: dict[str, object]
) -> None:
    calls: list[dict[str, object]] = []
    monkeypatch.setattr(batchgate_sandbox.__main__, "run", lambda **given: calls.append(given))
    done = CliRunner().invoke(app, ["sandbox", *options], catch_exceptions=False)
    assert done.exit_code == 0
    assert calls == [expected]


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = CliRunner().invoke(app, ["sandbox", "--listen", address])
    assert done.exit_code == 2
    assert (
        done.stderr
        == f"batchgate: cannot listen on {address}: Address already in use; choose another with --listen\n"
    )


@pytest.mark.parametrize("options", [["--speed", "warp"], ["--listen", "nowhere"]])
def test_options_that_make_no_sense(options: list[str]) -> None:
    done = CliRunner().invoke(app, ["sandbox", *options])
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"batchgate: {options[0].removeprefix('--')} must be ")


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = CliRunner().invoke(app, ["sandbox", "--listen", "127.0.0.1:0", "--dir", str(file)])
    assert done.exit_code == 2
    assert done.stderr == f"batchgate: --dir {file}: File exists\n"
