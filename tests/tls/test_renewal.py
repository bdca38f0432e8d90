"""Certificates that change while the gateway runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate_server.settings import TLSSettings, followed
from batchgate_server.tls import ServerCertificate
from tests.certificates import Authority, Issued
from tests.tls.conftest import OpenTLS, call, channel_to, serial_shown, tls_of
from tests.tls.volume import Volume


@pytest.fixture
def at_every_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at in each handshake, so that tests need not wait."""
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.0)


def told(logs: list[Any], level: str) -> list[dict[str, Any]]:
    return [{**line} for line in logs if line["log_level"] == level and line["event"] != "rpc"]


def put(issued: Issued, *, over: Issued) -> None:
    """Replace a pair as tools do that write in place: one file after the other."""
    over.certificate_file.write_bytes(issued.certificate)
    over.key_file.write_bytes(issued.key)


@pytest.mark.usefixtures("at_every_handshake")
async def test_new_files_are_shown_without_a_restart(
    open_tls: OpenTLS, authority: Authority, server: Issued
) -> None:
    gateway = await open_tls(tls=tls_of(server))
    assert await serial_shown(gateway.address, authority) == server.serial
    async with channel_to(gateway.address, authority) as before:
        assert await call(before)
        new = authority.issue("new")
        put(new, over=server)
        with capture_logs() as logs:
            assert await serial_shown(gateway.address, authority) == new.serial
            assert await serial_shown(gateway.address, authority) == new.serial
        assert await call(before)
    (line,) = told(logs, "info")
    assert line["event"] == "certificate renewed"
    assert line["serial"] == f"{new.serial:x}"
    assert line["not_after"].endswith("+00:00")
    assert not told(logs, "warning")
    assert new.key.splitlines()[1].decode() not in str(logs)


@pytest.mark.usefixtures("at_every_handshake")
async def test_as_kubernetes_swaps_them(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    names = ("certificate_file", "key_file")
    volume = Volume(tmp_path / "v", dict(zip(names, (server.certificate, server.key), strict=True)))
    gateway = await open_tls(tls={name: str(volume.directory / name) for name in names})
    assert await serial_shown(gateway.address, authority) == server.serial
    for turn in range(3):
        new = authority.issue(f"new{turn}")
        volume.swap(dict(zip(names, (new.certificate, new.key), strict=True)))
        assert await serial_shown(gateway.address, authority) == new.serial


def without_key(server: Issued, new: Issued) -> None:
    server.certificate_file.write_bytes(new.certificate)


def cut_off(server: Issued, new: Issued) -> None:
    server.key_file.write_bytes(new.key)
    server.certificate_file.write_bytes(new.certificate[:100])


def emptied(server: Issued, new: Issued) -> None:
    server.key_file.write_bytes(b"")


def gone(server: Issued, new: Issued) -> None:
    server.certificate_file.unlink()


@pytest.mark.usefixtures("at_every_handshake")
@pytest.mark.parametrize("spoil", [without_key, cut_off, emptied, gone])
async def test_half_a_change_keeps_the_old_one(
    open_tls: OpenTLS,
    authority: Authority,
    server: Issued,
    spoil: Callable[[Issued, Issued], None],
) -> None:
    new = authority.issue("new")
    gateway = await open_tls(tls=tls_of(server))
    spoil(server, new)
    with capture_logs() as logs:
        for _ in range(3):
            assert await serial_shown(gateway.address, authority) == server.serial
    (line,) = told(logs, "warning")
    assert line["event"].startswith("changed certificate files cannot be used")
    assert str(server.certificate_file.parent) in line["problem"]
    assert not told(logs, "info")
    put(new, over=server)
    with capture_logs() as logs:
        assert await serial_shown(gateway.address, authority) == new.serial
    assert [line["event"] for line in told(logs, "info")] == ["certificate renewed"]
    # The next fault is told again.
    spoil(server, authority.issue("newer"))
    with capture_logs() as logs:
        assert await serial_shown(gateway.address, authority) == new.serial
    assert len(told(logs, "warning")) == 1


@pytest.mark.usefixtures("at_every_handshake")
async def test_what_cannot_be_used_is_read_until_it_can(
    open_tls: OpenTLS, authority: Authority, server: Issued
) -> None:
    """Also where the file system's clock is too coarse to show the second change."""
    gateway = await open_tls(tls=tls_of(server))
    new = authority.issue("new")
    put(new, over=server)
    server.key_file.write_bytes(b"#" * len(new.key))
    os.utime(server.key_file, ns=(1, 1))
    assert await serial_shown(gateway.address, authority) == server.serial
    server.key_file.write_bytes(new.key)
    os.utime(server.key_file, ns=(1, 1))
    assert await serial_shown(gateway.address, authority) == new.serial


@pytest.mark.usefixtures("at_every_handshake")
async def test_a_change_to_the_same_is_not_told(
    open_tls: OpenTLS, authority: Authority, server: Issued
) -> None:
    gateway = await open_tls(tls=tls_of(server))
    put(server, over=server)
    os.utime(server.key_file, ns=(1, 1))
    with capture_logs() as logs:
        assert await serial_shown(gateway.address, authority) == server.serial
    assert logs == []


@pytest.mark.usefixtures("at_every_handshake")
async def test_the_authorities_of_callers_change_too(
    open_tls: OpenTLS, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(old.certificate)
    gateway = await open_tls(tls=tls_of(server, client_ca=bundle))
    workers = {"old": old.issue("worker-old"), "new": new.issue("worker-new")}

    async def comes_in(name: str) -> bool:
        async with channel_to(gateway.address, authority, workers[name]) as channel:
            try:
                return bool(await call(channel))
            except grpc.aio.AioRpcError as error:
                if error.code() == grpc.StatusCode.UNAVAILABLE:
                    return False
                raise

    async with channel_to(gateway.address, authority, workers["old"]) as before:
        assert await call(before)
        assert (await comes_in("old"), await comes_in("new")) == (True, False)
        bundle.write_bytes(old.certificate + new.certificate)
        assert (await comes_in("old"), await comes_in("new")) == (True, True)
        bundle.write_bytes(old.certificate + new.certificate[:100])
        assert (await comes_in("old"), await comes_in("new")) == (True, True)
        bundle.write_bytes(new.certificate)
        assert (await comes_in("old"), await comes_in("new")) == (False, True)
        # Who is in stays in.
        assert await call(before)


async def test_other_files_need_a_restart(
    open_tls: OpenTLS, authority: Authority, server: Issued
) -> None:
    gateway = await open_tls(tls=tls_of(server))
    other = authority.issue("other")
    files = {"certificate_file": other.certificate_file, "key_file": other.key_file}
    new = gateway._settings.model_copy(update={"tls": TLSSettings(**files)})
    changes = gateway.reload(new)
    assert [(change.setting, change.needs_restart) for change in changes] == [
        ("tls.certificate_file", True),
        ("tls.key_file", True),
    ]
    assert await serial_shown(gateway.address, authority) == server.serial


async def test_files_are_looked_at_once_a_second(
    authority: Authority, server: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [100.0]
    certificate = ServerCertificate(
        TLSSettings(certificate_file=server.certificate_file, key_file=server.key_file),
        clock=lambda: times[-1],
    )
    put(authority.issue("new"), over=server)
    for time, renewed in ((100.0, False), (100.9, False), (101.0, True), (101.5, False)):
        times.append(time)
        assert (certificate._renewed() is not None) == renewed
    put(authority.issue("newer"), over=server)
    for time, renewed in ((101.9, False), (102.0, True), (200.0, False)):
        times.append(time)
        assert (certificate._renewed() is not None) == renewed
    # One who looks lets others go on.
    put(authority.issue("newest"), over=server)
    times.append(300.0)
    with certificate._turn:
        assert certificate._renewed() is None
    assert certificate._renewed() is not None
