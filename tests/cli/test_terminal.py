"""Bars and colours where there is a terminal, and nowhere else."""

import asyncio
import fcntl
import json
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

import pytest

from tests.cli.programs import MAIN, variables
from tests.conftest import Account, Gateway
from tests.services.rows import created, line

ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")
ROWS, COLUMNS = 24, 110


async def on_a_terminal(
    *arguments: object,
    here: Path,
    address: str,
    piped: bool = False,
    columns: int = COLUMNS,
    **more: str,
) -> tuple[int, str, str]:
    """The exit code, what a terminal got, and what a pipe in place of the standard output got."""
    leader, follower = pty.openpty()
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", MAIN, *map(str, arguments)),
        cwd=here,
        env=variables(**{"BATCHGATE_ADDRESS": address, "TERM": "xterm-256color", **more}),
        stdin=follower,
        stdout=asyncio.subprocess.PIPE if piped else follower,
        stderr=follower,
    )
    os.close(follower)
    shown, (output, _) = await asyncio.gather(
        asyncio.to_thread(_read, leader), process.communicate()
    )
    assert process.returncode is not None
    return process.returncode, shown, (output or b"").decode()


def _read(leader: int) -> str:
    content = b""
    with os.fdopen(leader, "rb", buffering=0) as terminal:
        while True:
            try:
                piece = terminal.read(65536)
            except OSError:  # Linux says so when nobody has the other end any more.
                break
            if not piece:
                break
            content += piece
    return content.decode()


@pytest.fixture
async def slowly(account: Account, here: Path) -> Path:
    """A batch file of which some rows fail, and a provider that takes its time."""
    await account.settings(step_seconds=0.15, slices=4)
    # As fast as half a second for the file.
    await account.fault(kind="slow_read", method="POST", path="/v1/files", bytes_per_second=4e6)
    path = here / "requests.jsonl"
    each = [
        line(f"row-{n}", text="x" * 8000, **({"fail": 503} if n % 4 else {})) for n in range(250)
    ]
    path.write_bytes(b"".join(each))
    return path


@pytest.mark.parametrize("columns", [80, pytest.param(110, marks=pytest.mark.slow)])
async def test_a_run_draws_bars(quick: Gateway, here: Path, slowly: Path, columns: int) -> None:
    code, shown, _ = await on_a_terminal(
        "run", slowly.name, here=here, address=quick.address, columns=columns
    )
    assert code == 3
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    # Bytes, rate, time left; then the rows.
    assert re.search(r"uploading +━+ +\d+% \d\.\d/2\.\d MB \d+\.\d [kM]B/s \d:\d\d:\d\d", plain)
    assert re.search(r"in_progress ━+─+ \d+ of 250 done, \d+ failed", plain)
    assert "…" not in plain, "nothing is cut off"
    assert f"{ESCAPE}[32m━" in shown, "rows that succeeded are green"
    assert f"{ESCAPE}[31m━" in shown, "rows that failed are red"
    assert "rows     63 succeeded, 187 failed" in plain


@pytest.mark.slow
async def test_without_colour_there_are_bars(quick: Gateway, here: Path, slowly: Path) -> None:
    code, shown, _ = await on_a_terminal(
        "run", slowly.name, here=here, address=quick.address, NO_COLOR="1"
    )
    assert code == 3
    assert "━" in shown
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", shown)


async def test_a_piped_answer_has_no_escapes(quick: Gateway, here: Path, slowly: Path) -> None:
    code, shown, output = await on_a_terminal(
        "run", slowly.name, here=here, address=quick.address, piped=True
    )
    assert code == 3
    assert "━" in shown
    assert ESCAPE not in output
    assert "rows     63 succeeded, 187 failed\n" in output


@pytest.mark.slow
async def test_a_dumb_terminal_gets_lines(quick: Gateway, here: Path, slowly: Path) -> None:
    code, shown, _ = await on_a_terminal(
        "run", slowly.name, here=here, address=quick.address, TERM="dumb"
    )
    assert code == 3
    assert ESCAPE not in shown
    assert "━" not in shown
    assert "uploading   " in shown


@pytest.mark.slow
async def test_lines_of_json_have_no_bar_among_them(quick: Gateway, here: Path) -> None:
    batch = await created(quick, line("a"))
    code, shown, _ = await on_a_terminal(
        "watch", batch.id, "--json", here=here, address=quick.address
    )
    assert code == 0
    assert ESCAPE not in shown
    assert all(json.loads(one)["event"] for one in shown.splitlines())


@pytest.mark.parametrize("columns", [80, 120, 250])
async def test_an_id_is_never_folded(quick: Gateway, here: Path, columns: int) -> None:
    batches = [await created(quick, line("a")) for _ in range(2)]
    for command in (["list"], ["get", batches[0].id]):
        code, shown, _ = await on_a_terminal(
            "batches", *command, here=here, address=quick.address, columns=columns
        )
        assert code == 0
        lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()
        for one in batches[: 2 if command == ["list"] else 1]:
            for text in (one.id, one.input_file_id, one.endpoint):
                assert any(text in shown_line for shown_line in lines), text
            if command == ["list"] and columns < 250:
                assert max(map(len, lines)) <= columns
