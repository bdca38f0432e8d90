"""Keys in files: the gateway follows the file, and asks again after a refusal. No restart."""

import os
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from batchgate.v1 import batch_service_pb2 as pb
from batchgate_server.settings import followed
from tests.conftest import Account, Gateway, OpenGateway
from tests.services.calls import CALLS, call, failed
from tests.status import failure_of

Open = Callable[..., Awaitable[Gateway]]
BATCH = {"id": "batch_1", "status": "in_progress", "endpoint": "/v1/chat/completions"}


@pytest.fixture
def other(account: Account) -> Account:
    """Another account at the sandbox: who is asked shows which key was used."""
    return Account(key=f"sk-{uuid.uuid4().hex}", url=account.url)


@pytest.fixture
def key_file(account: Account, tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text(account.key)
    return file


@pytest.fixture
def open_one(open_gateway: OpenGateway, account: Account, key_file: Path, tmp_path: Path) -> Open:
    """A function that opens a gateway whose profiles have their key in a file."""

    async def open_one() -> Gateway:
        config = tmp_path / "batchgate.toml"
        config.write_text(
            'default_provider = "openai"\n'
            f'[providers.openai]\nkind = "openai"\nbase_url = "{account.url}/v1"\n'
            f'api_key = {{ file = "{key_file}" }}\n'
            f'[providers.azure]\nkind = "azure_openai"\nendpoint = "{account.url}"\n'
            f'api_key = {{ file = "{key_file}" }}\n'
        )
        settings = {"watch": {"first_poll_seconds": 0.01, "slowest_poll_seconds": 0.01}}
        return await open_gateway(settings, config=config)

    return open_one


@pytest.fixture
def looking_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at for each request, and not once a second."""
    monkeypatch.setattr(followed, "LOOK_SECONDS", 0.0)


@pytest.fixture
def looking_never(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at after a refusal only."""
    monkeypatch.setattr(followed, "LOOK_SECONDS", 3600.0)


async def count(account: Account) -> int:
    return len(await account.requests())


@pytest.mark.usefixtures("looking_always")
@pytest.mark.parametrize("provider", ["openai", "azure"])
async def test_a_new_key_is_used_from_then_on(
    open_one: Open, account: Account, other: Account, key_file: Path, provider: str
) -> None:
    gateway = await open_one()
    await call(gateway, "ListFiles", provider=provider)
    key_file.write_text(f"{other.key}\n")
    with capture_logs() as logs:
        for _ in range(2):
            await call(gateway, "ListFiles", provider=provider)
    assert (await count(account), await count(other)) == (1, 2)
    assert [entry["event"] for entry in logs].count("secret renewed") == 1
    assert other.key not in str(logs)


@pytest.mark.usefixtures("looking_always")
async def test_a_mount_that_is_swapped_as_kubernetes_does(
    open_one: Open, other: Account, key_file: Path, tmp_path: Path
) -> None:
    """The file is a link into a directory that is itself a link, which is replaced."""
    for name, key in (("..1", key_file.read_text()), ("..2", other.key)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(key)
        # Of one age and size: only the file itself differs.
        os.utime(tmp_path / name / "key", ns=(1, 1))
    (tmp_path / "..data").symlink_to("..1")
    key_file.unlink()
    key_file.symlink_to("..data/key")
    gateway = await open_one()
    (tmp_path / "..next").symlink_to("..2")
    (tmp_path / "..next").rename(tmp_path / "..data")
    await call(gateway, "ListFiles")
    assert await count(other) == 1


@pytest.mark.usefixtures("looking_always")
@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"line\nline", b"\xff", None])
async def test_the_old_key_stays_where_the_new_content_is_none(
    open_one: Open, account: Account, other: Account, key_file: Path, content: bytes | None
) -> None:
    """As in the middle of a rotation; told once, without the content."""
    gateway = await open_one()
    if content is None:
        key_file.unlink()
    else:
        key_file.write_bytes(content)
    with capture_logs() as logs:
        for _ in range(3):
            await call(gateway, "ListFiles")
    warnings = [entry for entry in logs if entry["event"] == "secret not renewed"]
    assert len(warnings) == 1
    assert warnings[0]["log_level"] == "warning"
    assert str(key_file) in warnings[0]["problem"]
    assert "words" not in str(warnings)
    key_file.write_text(other.key)
    await call(gateway, "ListFiles")
    assert (await count(account), await count(other)) == (3, 1)


@pytest.mark.usefixtures("looking_never")
@pytest.mark.parametrize("name", [name for name in CALLS if name != "ListProviders"])
async def test_a_refused_key_is_read_again_and_the_call_repeated(
    open_one: Open, account: Account, other: Account, key_file: Path, name: str
) -> None:
    gateway = await open_one()
    await account.fault(kind="answer", status=401, times=None)
    await other.fault(kind="answer", status=200, body={"data": [], **BATCH, "deleted": True})
    key_file.write_text(other.key)
    await call(gateway, name)
    assert (await count(account), await count(other)) == (1, 1)


@pytest.mark.usefixtures("looking_never")
async def test_a_download_is_repeated_too(
    open_one: Open, account: Account, other: Account, key_file: Path
) -> None:
    gateway = await open_one()
    await account.fault(kind="answer", status=401, times=None)
    await other.fault(kind="answer", status=200, body="content")
    key_file.write_text(other.key)
    assert b"content" in await gateway.download("file-1")


@pytest.mark.usefixtures("looking_never")
async def test_a_watch_goes_on_with_the_new_key(
    open_one: Open, account: Account, other: Account, key_file: Path
) -> None:
    gateway = await open_one()
    await account.fault(kind="answer", status=200, body=BATCH, times=3)
    await account.fault(kind="answer", status=401, times=None)
    await other.fault(kind="answer", status=200, body={**BATCH, "status": "completed"})
    key_file.write_text(other.key)
    watch = gateway.batches.WatchBatch(pb.WatchBatchRequest(batch_id="batch_1"))
    events = [message.batch.status_text async for message in watch]
    assert (events[0], events[-1]) == ("in_progress", "completed")
    assert (await count(account), await count(other)) == (4, 1)


@pytest.mark.usefixtures("looking_never")
@pytest.mark.parametrize("size", [3, 3_000_000])
async def test_an_upload_cannot_be_repeated_but_the_next_one_goes_well(
    open_one: Open, account: Account, other: Account, key_file: Path, size: int
) -> None:
    gateway = await open_one()
    await account.fault(kind="answer", status=401, times=None)
    key_file.write_text(other.key)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.upload(b"x" * size)
    assert failure_of(caught.value).reason == "PROVIDER_CREDENTIAL_REJECTED"
    uploaded = await gateway.upload(b"x" * size)
    assert await other.file_ids() == [uploaded.file.id]


@pytest.mark.usefixtures("looking_never")
async def test_a_key_that_stays_refused_is_tried_once(
    open_one: Open, account: Account, other: Account, key_file: Path
) -> None:
    gateway = await open_one()
    await account.fault(kind="answer", status=401, times=None)
    failure = await failed(gateway, "GetBatch")
    assert (failure.code, failure.reason) == ("FAILED_PRECONDITION", "PROVIDER_CREDENTIAL_REJECTED")
    assert "refused the gateway's credential" in failure.message
    assert await count(account) == 1
    key_file.write_text(other.key)
    await other.fault(kind="answer", status=401, times=None)
    await failed(gateway, "GetBatch")
    assert (await count(account), await count(other)) == (2, 1)


@pytest.mark.usefixtures("looking_always")
async def test_neither_the_old_nor_the_new_key_is_told(
    open_one: Open, other: Account, key_file: Path
) -> None:
    """Keys that look like nothing are known by themselves; a provider may quote an old one late."""
    key_file.write_text("plain-word-9")
    gateway = await open_one()
    key_file.write_text(other.key)
    message = f"neither plain-word-9 nor {other.key}"
    await other.fault(kind="answer", status=400, body={"error": {"message": message}})
    failure = await failed(gateway, "GetBatch")
    assert failure.message == "openai: neither [redacted] nor [redacted]"
