"""Plaintext and TLS of a process: what it refuses at the start, and what it says."""

import asyncio
from pathlib import Path

from tests.certificates import Authority
from tests.conftest import Account
from tests.process.conftest import Start
from tests.tls.conftest import call, channel_to, refused, tls_of

EVERYBODY = {"BATCHGATE_SERVER__ALLOW_ANONYMOUS": "true"}


async def test_insecure_is_warned_of(start: Start) -> None:
    gateway = await start("--insecure", listen="0.0.0.0:0", **EVERYBODY)
    async with channel_to(f"127.0.0.1:{gateway.address.rpartition(':')[2]}", None) as channel:
        assert await call(channel) == ["openai", "azure"]
    gateway.process.terminate()
    code, output = await gateway.end()
    assert code == 0
    assert output.count("plaintext is allowed") == 1


async def test_a_gateway_with_tls_off_loopback(
    start: Start, account: Account, tmp_path: Path
) -> None:
    """It lives through clients that speak wrongly, and tells no secret of any of them."""
    authority = Authority(tmp_path)
    server, worker = authority.issue("server"), authority.issue("worker")
    files = tls_of(server, client_ca=authority.file)
    variables = {f"BATCHGATE_TLS__{name.upper()}": str(path) for name, path in files.items()}
    gateway = await start(listen="0.0.0.0:0", **EVERYBODY, **variables)
    address = f"127.0.0.1:{gateway.address.rpartition(':')[2]}"
    for trusted, client in (
        (None, None),
        (authority, None),
        (authority, Authority(tmp_path, "other").issue("foreign")),
    ):
        async with channel_to(address, trusted, client) as channel:
            await refused(channel)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    writer.write(b"GET / HTTP/1.1\r\nauthorization: Bearer bg_secret-of-a-caller\r\n\r\n")
    await reader.read()
    writer.close()
    async with channel_to(address, authority, worker) as channel:
        assert await call(channel) == ["openai", "azure"]
    gateway.process.terminate()
    code, output = await gateway.end()
    assert code == 0
    assert "plaintext" not in output
    assert f"{server.serial:x}" in output
    for secret in ("bg_secret", server.key.splitlines()[1].decode(), account.key):
        assert secret not in output


async def test_plaintext_on_this_machine_needs_no_word(start: Start) -> None:
    gateway = await start(listen="127.0.0.1:0")
    gateway.process.terminate()
    code, output = await gateway.end()
    assert (code, "warning" in output) == (0, False)
