"""Who gets through the handshake, and who does not; the gateway serves on either way."""

import asyncio
import datetime as dt
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from batchgate_server.application import Application
from tests.certificates import Authority, Issued
from tests.conftest import PROFILES
from tests.tls.conftest import OpenTLS, call, channel_to, refused, tls_of

LONG_AGO = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


async def serves(gateway: Application, authority: Authority, client: Issued | None = None) -> bool:
    async with channel_to(gateway.address, authority, client) as channel:
        return await call(channel) == list(PROFILES)


async def test_tls(open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path) -> None:
    gateway = await open_tls(tls=tls_of(server))
    assert await serves(gateway, authority)
    # One more than is asked for does no harm.
    assert await serves(gateway, authority, authority.issue("worker"))
    async with channel_to(gateway.address, Authority(tmp_path, "other")) as channel:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(channel)
    async with channel_to(gateway.address, None) as channel:
        await refused(channel)
    assert await serves(gateway, authority)


async def test_mutual_tls(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    callers = Authority(tmp_path, "callers")
    gateway = await open_tls(tls=tls_of(server, client_ca=callers.file))
    worker = callers.issue("worker", san=["spiffe://mesh/worker"])
    assert await serves(gateway, authority, worker)
    strangers = {
        "none": None,
        # The gateway's own authority is not that of its callers.
        "of another authority": authority.issue("foreign"),
        "expired": callers.issue("expired", not_after=LONG_AGO),
        "of one that is called the same": Authority(tmp_path / "fake", "callers").issue("fake"),
    }
    for stranger in strangers.values():
        async with channel_to(gateway.address, authority, stranger) as channel:
            await refused(channel)
    assert await serves(gateway, authority, worker)


async def test_an_expired_certificate_of_the_gateway(
    open_tls: OpenTLS, authority: Authority, capfd: pytest.CaptureFixture[str]
) -> None:
    """It starts, since renewing the files is all that is needed; it says so, and callers refuse."""
    gateway = await open_tls(tls=tls_of(authority.issue("old", not_after=LONG_AGO)))
    assert "the certificate has expired" in capfd.readouterr().out
    async with channel_to(gateway.address, authority) as channel:
        assert "CERTIFICATE_VERIFY_FAILED" in await refused(channel)


async def test_a_unix_socket_has_tls_too(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    """What is configured counts: else `client_ca_file` would be passed over in silence."""
    tls = tls_of(server, client_ca=authority.file)
    gateway = await open_tls(listen=f"unix:{tmp_path}/own.sock", tls=tls)
    assert await serves(gateway, authority, authority.issue("worker"))
    for trusted in (authority, None):
        async with channel_to(gateway.address, trusted) as channel:
            await refused(channel)


async def test_tls_to_a_plaintext_port(open_tls: OpenTLS, authority: Authority) -> None:
    gateway = await open_tls()
    async with channel_to(gateway.address, authority) as channel:
        await refused(channel)
    async with channel_to(gateway.address, None) as channel:
        assert await call(channel) == list(PROFILES)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1, False),
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
    ids=lambda value: value.name if isinstance(value, ssl.TLSVersion) else "",
)
async def test_tls_1_2_is_the_floor(
    open_tls: OpenTLS,
    authority: Authority,
    server: Issued,
    *,
    version: ssl.TLSVersion,
    accepted: bool,
) -> None:
    """By one who would speak older versions: OpenSSL itself refuses them unless told otherwise."""
    gateway = await open_tls(tls=tls_of(server))
    host, _, port = gateway.address.rpartition(":")
    context = ssl.create_default_context(cafile=authority.file)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if not accepted:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection(host, int(port), ssl=context)
        return
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    connection = writer.get_extra_info("ssl_object")
    assert connection.version() == version.name.replace("_", ".")
    assert connection.selected_alpn_protocol() == "h2"
    writer.close()
    writer.transport.abort()


@pytest.mark.parametrize(
    ("secure", "said"),
    [(True, b""), (True, b"\x16\x03\x01\x02\x00\x01"), (False, b""), (False, b"PRI * HTTP/2")],
    ids=["tls, nothing", "tls, half", "plaintext, nothing", "plaintext, half"],
)
async def test_a_handshake_that_stalls_is_ended(
    open_tls: OpenTLS, authority: Authority, server: Issued, *, secure: bool, said: bytes
) -> None:
    gateway = await open_tls(
        tls=tls_of(server) if secure else None, server={"handshake_timeout_seconds": 0.3}
    )
    host, _, port = gateway.address.rpartition(":")
    loop = asyncio.get_running_loop()
    begin = loop.time()
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(said)
        # Others are served meanwhile.
        async with channel_to(gateway.address, authority if secure else None) as channel:
            assert await call(channel) == list(PROFILES)
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        assert 0.25 < loop.time() - begin < 5
    finally:
        writer.transport.abort()
