"""SIGHUP: the process reads its configuration again, or refuses it, and loses no call."""

import asyncio
import itertools
import json
import signal
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from batchgate.v1 import batch_service_pb2, file_service_pb2
from batchgate.v1 import provider_service_pb2 as pb
from tests.conftest import Account, upload_messages
from tests.process.conftest import GatewayProcess, Serve, Start
from tests.services.rows import line
from tests.status import failure_of
from tests.waiting import arrived, eventually

LIST = file_service_pb2.ListFilesRequest
# Of a batch that does not end by itself.
STALLED = {"sandbox_outcome": "stalled"}


class Configuration:
    """A file, the secrets that it names, and the audit log that it asks for."""

    def __init__(self, directory: Path, account: Account) -> None:
        self.file = directory / "batchgate.toml"
        self.audit = directory / "audit.jsonl"
        self._directory = directory
        self._url = account.url
        self.key("one", account.key)

    def key(self, name: str, key: str) -> None:
        (self._directory / f"{name}.key").write_text(key)

    def write(self, *profiles: str, more: str = "", audit: str | None = None) -> None:
        text = f'{more}\n[audit]\nfile = "{audit or self.audit}"\n'
        for name in profiles:
            text += f'[providers.{name}]\nkind = "openai"\nbase_url = "{self._url}/v1"\n'
            text += f'api_key = {{ file = "{name}.key" }}\n'
        # At once: the gateway may be reading.
        new = self.file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.file)

    def records(self, event: str = "reload") -> list[dict[str, Any]]:
        # Whole lines: a write of the gateway, over there in its process, shows page by page.
        *lines, _ = self.audit.read_text().split("\n")
        return [one for one in map(json.loads, lines) if one["event"] == event]


@pytest.fixture
def configuration(tmp_path: Path, account: Account) -> Configuration:
    configuration = Configuration(tmp_path, account)
    configuration.write("one")
    return configuration


@pytest.fixture
def other(account: Account) -> Account:
    """Another account at the same sandbox."""
    return Account(key=f"sk-{uuid.uuid4().hex}", url=account.url)


Open = Callable[..., Awaitable[GatewayProcess]]


@pytest.fixture
def gateway_of(start: Start) -> Open:
    """Starts a gateway with a configuration and nothing else."""

    async def run(configuration: Configuration, *options: str, **more: str) -> GatewayProcess:
        variables = {"BATCHGATE_DEFAULT_PROVIDER": "", "BATCHGATE_LOG__FORMAT": "json", **more}
        return await start("--config", str(configuration.file), *options, **variables)

    return run


async def to_its_end(stream: Any) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def reloaded(gateway: GatewayProcess, configuration: Configuration) -> dict[str, Any]:
    """Ask for a reload; its record."""
    before = len(configuration.records())
    gateway.signal(signal.SIGHUP)
    await eventually(lambda: len(configuration.records()) > before)
    return configuration.records()[-1]


async def log_of(gateway: GatewayProcess, number: signal.Signals) -> list[dict[str, Any]]:
    """End the gateway; what it has logged."""
    gateway.signal(number)
    code, output = await gateway.end()
    assert code == 0
    assert "Traceback" not in output
    return [json.loads(text) for text in output.splitlines() if text.startswith("{")]


async def test_a_provider_comes_and_another_goes(
    configuration: Configuration, gateway_of: Open, account: Account, other: Account
) -> None:
    gateway = await gateway_of(configuration)
    content = line("a")
    file = (
        await gateway.files.UploadFile(
            upload_messages(content, filename="a.jsonl", purpose="batch")
        )
    ).file
    create = batch_service_pb2.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", metadata=STALLED
    )
    batch = (await gateway.batches.CreateBatch(create)).batch
    watch = gateway.batches.WatchBatch(batch_service_pb2.WatchBatchRequest(batch_id=batch.id))
    await watch.read()
    upload = gateway.files.UploadFile()
    for message in upload_messages(bytes(5000), filename="a.jsonl", purpose="vision"):
        await upload.write(message)
    await account.fault(kind="delay", delay=0.5, path="*/content")
    download = gateway.files.DownloadFile(file_service_pb2.DownloadFileRequest(file_id=file.id))
    reading = asyncio.ensure_future(download.read())
    await arrived(account, "GET", "/content")

    configuration.key("two", other.key)
    configuration.write("two", more="[watch]\nheartbeat_seconds = 5\n")
    record = await reloaded(gateway, configuration)
    assert record["outcome"] == "applied"
    assert record["changes"] == [
        {"setting": "providers.one", "change": "removed"},
        {"setting": "providers.two", "change": "added"},
        {"setting": "watch.heartbeat_seconds", "change": "changed", "old": 30.0, "new": 5.0},
    ]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await to_its_end(watch)
    assert failure_of(caught.value).reason == "PROVIDER_UNKNOWN"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.files.ListFiles(LIST(provider="one"))
    assert failure_of(caught.value).reason == "PROVIDER_UNKNOWN"
    assert (await reading).chunk == content
    await upload.write(file_service_pb2.UploadFileRequest(chunk=b"the end"))
    await upload.done_writing()
    assert (await upload).file.size_bytes == 5007
    await gateway.files.ListFiles(LIST())
    (request,) = await other.requests()
    assert request["path"] == "/v1/files"
    log = await log_of(gateway, signal.SIGTERM)
    (told,) = [one for one in log if one["event"] == "configuration reloaded"]
    assert told["changes"] == [
        "providers.one: removed",
        "providers.two: added",
        "watch.heartbeat_seconds: 30.0 → 5.0",
    ]
    assert [len(configuration.records(event)) for event in ("start", "stop")] == [1, 1]


async def test_a_rotated_key_counts_for_a_watch_that_runs(
    configuration: Configuration, gateway_of: Open, account: Account, other: Account
) -> None:
    configuration.write(
        "one", more="[watch]\nfirst_poll_seconds = 0.05\nslowest_poll_seconds = 0.1\n"
    )
    gateway = await gateway_of(configuration)
    file = (
        await gateway.files.UploadFile(
            upload_messages(line("a"), filename="a.jsonl", purpose="batch")
        )
    ).file
    create = batch_service_pb2.CreateBatchRequest(
        input_file_id=file.id, endpoint="/v1/chat/completions", metadata=STALLED
    )
    batch = (await gateway.batches.CreateBatch(create)).batch
    watch = gateway.batches.WatchBatch(batch_service_pb2.WatchBatchRequest(batch_id=batch.id))
    await watch.read()
    configuration.key("one", other.key)
    record = await reloaded(gateway, configuration)
    assert record["changes"] == [{"setting": "providers.one.api_key", "change": "changed"}]
    await arrived(other, "GET", batch.id)
    # The other account has no such batch.
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await to_its_end(watch)
    assert failure_of(caught.value).reason == "PROVIDER_NOT_FOUND"
    text = configuration.audit.read_text()
    log = await log_of(gateway, signal.SIGTERM)
    for key in (account.key, other.key):
        assert key not in text
        assert key not in str(log)


async def test_a_bad_configuration_is_refused(
    configuration: Configuration, gateway_of: Open, account: Account
) -> None:
    gateway = await gateway_of(configuration)
    configuration.file.write_text("[providers\n")
    broken = await reloaded(gateway, configuration)
    configuration.write("one", "two", more='wacth = 1\nlisten = "nowhere"\n')
    several = await reloaded(gateway, configuration)
    configuration.write("one", audit="/no/such/directory")
    unwritable = await reloaded(gateway, configuration)
    configuration.file.unlink()
    missing = await reloaded(gateway, configuration)
    records = (broken, several, unwritable, missing)
    assert all(one["outcome"] == "refused" for one in records)
    assert "not valid TOML" in broken["problems"][0]
    # --listen wins again, over a mistake too.
    assert [one.partition(":")[0] for one in several["problems"]] == [
        "providers.two.api_key",
        "wacth",
    ]
    assert unwritable["problems"] == [
        "audit.file: the file cannot be opened to be appended to: No such file or directory"
    ]
    assert "cannot be read" in missing["problems"][0]
    await gateway.files.ListFiles(LIST())
    assert len(await account.requests()) == 1
    log = await log_of(gateway, signal.SIGTERM)
    refusals = [one for one in log if "is refused" in one["event"]]
    # In the order and with the problems of the records, which cut off what is long.
    assert [len(one["problems"]) for one in refusals] == [len(one["problems"]) for one in records]
    assert {one["level"] for one in refusals} == {"error"}


async def test_what_needs_a_restart_is_named(
    configuration: Configuration, gateway_of: Open
) -> None:
    gateway = await gateway_of(configuration)
    configuration.write(
        "one", more='[server]\nreflection = false\n[log]\nlevel = "warning"\nformat = "console"\n'
    )
    record = await reloaded(gateway, configuration)
    assert record["changes"] == [
        {"setting": "log.level", "change": "changed", "old": "info", "new": "warning"},
        {
            "setting": "server.reflection",
            "change": "changed",
            "old": True,
            "new": False,
            "needs_restart": True,
        },
    ]
    await gateway.files.ListFiles(LIST())
    log = await log_of(gateway, signal.SIGTERM)
    told = [one["change"] for one in log if one["event"] == "a changed setting needs a restart"]
    assert told == ["server.reflection: true → false"]
    # From then on only warnings are logged.
    assert not [one for one in log if one["event"] in {"rpc", "stopping"}]


async def test_a_log_that_is_moved_away_is_begun_anew(
    configuration: Configuration, gateway_of: Open
) -> None:
    """By a reload that is refused too: who rotates logs knows nothing of configurations."""
    gateway = await gateway_of(configuration)
    old = configuration.audit.rename(configuration.audit.with_suffix(".1"))
    configuration.audit.write_text("")
    await reloaded(gateway, configuration)
    assert "reload" not in old.read_text()
    older = configuration.audit.rename(configuration.audit.with_suffix(".2"))
    configuration.audit.write_text("")
    configuration.file.write_text("=")
    record = await reloaded(gateway, configuration)
    assert record["outcome"] == "refused"
    assert "refused" not in older.read_text()
    files = [one.path for one in psutil.Process(gateway.process.pid).open_files()]
    assert [one for one in files if "audit" in one] == [str(configuration.audit)]


async def test_signals_while_it_loads_are_one_and_at_the_end_none(
    configuration: Configuration, gateway_of: Open, account: Account
) -> None:
    gateway = await gateway_of(configuration)
    for number in range(1, 40):
        configuration.write("one", more=f"[watch]\nheartbeat_seconds = {number}\n")
        gateway.signal(signal.SIGHUP)
    await eventually(
        lambda: any(
            change.get("new") == 39
            for one in configuration.records()
            for change in one.get("changes", [])
        )
    )
    # Under way until the end of its grace.
    await account.fault(kind="delay", delay=0.5)
    call = asyncio.ensure_future(gateway.files.ListFiles(LIST()))
    await arrived(account, "GET", "/files")
    gateway.signal(signal.SIGTERM)
    for _ in range(5):
        gateway.signal(signal.SIGHUP)
        await asyncio.sleep(0.01)
    await call
    code, output = await gateway.end()
    assert code == 0
    assert "Traceback" not in output
    assert configuration.audit.read_text().splitlines()[-1].find('"stop"') > 0
    assert len(configuration.records()) <= 40


async def test_the_audit_log_on_the_standard_output(
    configuration: Configuration, serve: Serve
) -> None:
    configuration.write("one", audit="-")
    process = await serve(
        *("--listen", "127.0.0.1:0", "--config", str(configuration.file)),
        BATCHGATE_DEFAULT_PROVIDER="",
    )
    assert process.stdout
    first = json.loads(await process.stdout.readline())
    async with grpc.aio.insecure_channel(first["address"]) as channel:
        from batchgate.v1.file_service_pb2_grpc import FileServiceStub  # noqa: PLC0415

        delete: Any = FileServiceStub(channel).DeleteFile
        with pytest.raises(grpc.aio.AioRpcError):
            await delete(file_service_pb2.DeleteFileRequest(file_id="file-1"))
    process.send_signal(signal.SIGHUP)
    events = [json.loads(await process.stdout.readline())["event"] for _ in range(2)]
    process.send_signal(signal.SIGTERM)
    output, errors = await process.communicate()
    events += [json.loads(text)["event"] for text in output.splitlines()]
    assert [first["event"], *events] == ["start", "call", "reload", "stop"]
    assert b"listening on" in errors


def resources(gateway: GatewayProcess) -> tuple[int, int]:
    """Open files and connections, and threads."""
    process = psutil.Process(gateway.process.pid)
    return process.num_fds(), process.num_threads()


@pytest.mark.slow
async def test_fifty_reloads_under_load(
    configuration: Configuration, gateway_of: Open, account: Account, other: Account
) -> None:
    gateway = await gateway_of(configuration)
    await gateway.files.ListFiles(LIST())
    ended = asyncio.Event()
    content = bytes(300_000)
    counts: dict[str, int] = {"unary": 0, "transfer": 0}

    async def unary() -> None:
        while not ended.is_set():
            await gateway.files.ListFiles(LIST())
            await gateway.providers.ListProviders(pb.ListProvidersRequest(check_health=True))
            counts["unary"] += 2

    async def transfers() -> None:
        while not ended.is_set():
            # Both accounts are the gateway's `one` in turn: what a call creates is its own.
            messages = upload_messages(content, chunk=100_000, filename="a.jsonl", purpose="vision")
            answer = await gateway.files.UploadFile(messages)
            assert answer.file.size_bytes == len(content)
            counts["transfer"] += 1

    async def reloads() -> None:
        keys = itertools.cycle([other.key, account.key])
        for _, key in zip(range(50), keys, strict=False):
            configuration.key("one", key)
            record = await reloaded(gateway, configuration)
            assert record["outcome"] == "applied"
        ended.set()

    idle = resources(gateway)
    await asyncio.gather(unary(), unary(), unary(), transfers(), transfers(), reloads())
    assert counts["unary"] > 50
    assert counts["transfer"] > 5
    # Idle connections of all fifty are closed with them, and the one that stays has a few.
    await eventually(lambda: resources(gateway)[0] <= idle[0] + 8)
    # Those that load files are kept by Python for the next time.
    assert resources(gateway)[1] <= idle[1] + 8
    log = await log_of(gateway, signal.SIGTERM)
    codes = {one["code"] for one in log if one["event"] == "rpc"}
    assert codes == {"OK"}
    assert not [one for one in log if one["level"] in {"error", "warning"}]
