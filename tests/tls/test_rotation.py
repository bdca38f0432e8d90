"""Certificates and authorities are rotated under load, and no call fails."""

import json
import signal
from pathlib import Path

import pytest

from batchgate_server.settings import followed
from tests.process.conftest import Serve
from tests.process.conftest import serve as serve  # noqa: PLC0414 - a fixture
from tests.tls.conftest import OpenTLS
from tests.tls.rotation import Rotation


async def test_no_call_fails(
    open_tls: OpenTLS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.02)
    rotation = Rotation(tmp_path)
    gateway = await open_tls(tls=rotation.settings())
    async with rotation.callers(gateway.address, each=3):
        await rotation.run(gateway.address, rounds=3)
    assert rotation.failed == []
    assert min(rotation.done.values()) >= 24


@pytest.mark.slow
async def test_no_call_fails_with_a_process_at_its_own_pace(serve: Serve, tmp_path: Path) -> None:
    rotation = Rotation(tmp_path)
    variables = {f"BATCHGATE_TLS__{key.upper()}": text for key, text in rotation.settings().items()}
    process = await serve("--listen", "127.0.0.1:0", "--log-format", "json", **variables)
    assert process.stdout
    assert process.stderr
    address = (await process.stdout.readline()).decode().strip().rpartition(" ")[2]
    async with rotation.callers(address, each=4):
        await rotation.run(address, rounds=2)
    process.send_signal(signal.SIGTERM)
    errors = (await process.communicate())[1].decode()
    assert rotation.failed == []
    assert sum(rotation.done.values()) > 200
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    events = [line["event"] for line in lines if line["event"] != "rpc"]
    assert events.count("certificate renewed") == 8
    assert not [line for line in lines if line["level"] != "info"]
