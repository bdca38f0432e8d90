"""The README's lines on TLS, pasted: certificates, configuration, a call."""

import subprocess
from pathlib import Path

import pytest

from tests.certificates import Issued
from tests.process.conftest import Serve
from tests.process.conftest import serve as serve  # noqa: PLC0414 - a fixture
from tests.test_readme import Shell, blocks, free_port
from tests.tls.conftest import call, channel_to
from tests.tools import tool

CALLER = '[callers.team-a]\nsan = ["spiffe://mesh/ns/team-a/sa/worker"]\n'
MAKE, CALL = blocks("TLS", "sh")


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """Where the README's certificates are."""
    tool("openssl")
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", MAKE], cwd=tmp_path, check=True, capture_output=True
    )
    return tmp_path


async def test_pasted(serve: Serve, certificates: Path) -> None:
    """A caller gets in by its certificate, and is known by its SPIFFE id."""
    port = free_port()
    (text,) = blocks("TLS", "toml")
    config = certificates / "batchgate.toml"
    config.write_text(f"{text}{CALLER}".replace("50051", str(port)))
    process = await serve("--config", str(config))
    assert process.stdout
    assert f"0.0.0.0:{port}" in (await process.stdout.readline()).decode()
    roots = (certificates / "ca.pem").read_bytes()
    worker = Issued(certificates / "worker.pem", certificates / "worker.key", 0)
    async with channel_to(f"localhost:{port}", roots, worker) as channel:
        assert await call(channel) == ["openai", "azure"]
    shell = Shell(certificates, port=port)
    shell.words = {"50051": str(port)}
    done = shell.run(CALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "SERVING" in done.stdout


def test_no_key_is_readable_for_others(certificates: Path) -> None:
    keys = list(certificates.glob("*.key"))
    assert len(keys) == 3
    assert [key.stat().st_mode & 0o077 for key in keys] == [0] * 3
