"""What tests stand on: a sandbox provider over real HTTP, and a gateway over a real channel."""

import itertools
import os
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from batchgate.v1 import (
    file_service_pb2,
    provider_service_pb2_grpc,
)
from batchgate_sandbox.server import SandboxServer, sandbox_in_thread
from batchgate_server.application import Application
from batchgate_server.providers.registry import Profile
from batchgate_server.rest.transport import open_transport
from batchgate_server.settings import Settings, load_settings
from tests.secret_search import (
    pytest_configure,
    pytest_runtest_logreport,
    pytest_runtest_logstart,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
    pytest_unconfigure,
    secret,
)
from tests.stubs import batch_stub, file_stub

__all__ = [
    "pytest_configure",
    "pytest_runtest_logreport",
    "pytest_runtest_logstart",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_testnodedown",
    "pytest_unconfigure",
]

CHUNK = 256 * 1024

# A busy machine is no defect; and CI tries the same examples each time.
hypothesis_settings.register_profile(
    "batchgate",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("batchgate")


@cache
def tls() -> ssl.SSLContext:
    """One for all: reading the trusted certificates takes longer than most tests."""
    return httpx.create_ssl_context()


def shared_tls_transport(profile: Profile) -> httpx.AsyncBaseTransport:
    """The connections of one profile, as the application opens them."""
    return open_transport(verify=tls(), max_connections=profile.max_connections)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxServer]:
    """One sandbox for all tests of a worker; each test has accounts of its own by its keys."""
    with sandbox_in_thread(step=0.01) as server:
        yield server


@dataclass(frozen=True)
class Account:
    """An account at the sandbox, and what the sandbox can do and tell about it."""

    key: str
    url: str

    async def fault(self, **fault: object) -> None:
        """Let requests of this account go wrong; see `batchgate_sandbox.faults`."""
        # A fault may carry an answer of many megabytes, and the machine may be busy.
        async with httpx.AsyncClient(verify=tls(), timeout=60) as client:
            answer = await client.post(
                f"{self.url}/_sandbox/faults", json={"key": self.key, **fault}
            )
            assert answer.status_code < 300, answer.text

    async def mend(self) -> None:
        """Let nothing of this account go wrong any more."""
        async with httpx.AsyncClient(verify=tls()) as client:
            answer = await client.delete(f"{self.url}/_sandbox/faults", params={"key": self.key})
            assert answer.status_code < 300, answer.text

    async def settings(self, **changes: object) -> None:
        """Change the account's settings; see `batchgate_sandbox.accounts.Settings`."""
        async with httpx.AsyncClient(verify=tls()) as client:
            answer = await client.patch(
                f"{self.url}/_sandbox/settings", params={"key": self.key}, json=changes
            )
            assert answer.status_code == 200, answer.text

    async def requests(self) -> list[dict[str, Any]]:
        """What arrived from this account."""
        async with httpx.AsyncClient(verify=tls()) as client:
            answer = await client.get(f"{self.url}/_sandbox/requests", params={"key": self.key})
            requests: list[dict[str, Any]] = answer.json()["requests"]
            return requests

    async def file_ids(self, *, azure: bool = False) -> list[str]:
        """The files that the account holds at the sandbox."""
        path, headers = (
            ("/openai/v1/files", {"api-key": self.key})
            if azure
            else ("/v1/files", {"authorization": f"Bearer {self.key}"})
        )
        async with httpx.AsyncClient(verify=tls()) as client:
            answer = await client.get(f"{self.url}{path}", headers=headers)
            return [file["id"] for file in answer.json()["data"]]


@pytest.fixture
def account(sandbox: SandboxServer) -> Account:
    """A fresh account; its key serves OpenAI and Azure OpenAI, which keep separate accounts."""
    return Account(key=secret(f"sk-{uuid.uuid4().hex}"), url=sandbox.url)


class Gateway:
    """A running gateway with a channel to it and its stubs."""

    def __init__(self, application: Application, channel: grpc.aio.Channel) -> None:
        self.application = application
        self.address = application.address
        self.channel = channel
        self.files = file_stub(channel)
        self.batches = batch_stub(channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(channel)

    async def upload(
        self,
        content: bytes,
        *,
        chunk: int = CHUNK,
        filename: str = "requests.jsonl",
        purpose: str = "batch",
        **metadata: Any,
    ) -> file_service_pb2.UploadFileResponse:
        """Upload `content` in chunks of `chunk` bytes."""
        return await self.files.UploadFile(
            upload_messages(content, chunk=chunk, filename=filename, purpose=purpose, **metadata)
        )

    async def download(self, file_id: str, *, provider: str = "", **place: int) -> bytes:
        """A file's content; checks that the pieces follow each other."""
        request = file_service_pb2.DownloadFileRequest(provider=provider, file_id=file_id, **place)
        content = b""
        begin = place.get("read_offset", 0)
        async for piece in self.files.DownloadFile(request):
            assert piece.offset == begin + len(content)
            assert 0 < len(piece.chunk) <= CHUNK
            content += piece.chunk
        return content


def upload_messages(
    content: bytes, *, chunk: int = CHUNK, **metadata: Any
) -> Iterator[file_service_pb2.UploadFileRequest]:
    """The metadata of an upload, then its chunks; any bytes will do, unless a check is asked for."""
    metadata = {"jsonl_check": file_service_pb2.JSONL_CHECK_OFF, **metadata}
    yield file_service_pb2.UploadFileRequest(
        metadata=file_service_pb2.UploadFileMetadata(**metadata)
    )
    for start in range(0, max(len(content), 1), chunk):
        yield file_service_pb2.UploadFileRequest(chunk=content[start : start + chunk])


OpenGateway = Callable[..., Awaitable[Gateway]]
_sockets = itertools.count()


@asynccontextmanager
async def running_gateway(
    settings: Settings, *, transport: Callable[[Profile], httpx.AsyncBaseTransport] | None = None
) -> AsyncIterator[Gateway]:
    """A gateway in this loop, with a channel to it."""
    async with Application(settings, transport=transport or shared_tls_transport) as application:
        # A channel of its own connection: channels to one address share connections otherwise.
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(application.address, options=options) as channel:
            yield Gateway(application, channel)


@pytest.fixture
async def open_gateway(tmp_path: Path) -> AsyncIterator[OpenGateway]:
    """A function that opens a gateway with these settings, until the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(
            settings: dict[str, Any],
            *,
            transport: Callable[[Profile], httpx.AsyncBaseTransport] | None = None,
            config: Path | None = None,
            environment: Mapping[str, str] | None = None,
        ) -> Gateway:
            listen = f"unix:{tmp_path}/gateway-{next(_sockets)}.sock"
            # Unless a test wants it nobody is asked but by the test.
            server = {"health_check_seconds": 0, **settings.get("server", {})}
            loaded = load_settings(
                config=config,
                environment=environment or {},
                overrides={"listen": listen, **settings, "server": server},
            )
            return await stack.enter_async_context(running_gateway(loaded, transport=transport))

        yield open_one


# What is tried again is tried at once, and waits of seconds are none that a test waits for.
IMPATIENT = {"retry_first_seconds": 0.002, "retry_cap_seconds": 0.05}


def profiles(account: Account) -> dict[str, Any]:
    """A profile of each flavour that the sandbox speaks, all with one key."""
    key = {"api_key": account.key, **IMPATIENT}
    azure = {"kind": "azure_openai", "endpoint": account.url, **key}
    return {
        "openai": {"kind": "openai", "base_url": f"{account.url}/v1", **key},
        "azure": {**azure, "api_version": "v1"},
        "azure-dated": {**azure, "api_version": "2024-10-21"},
        "azure-preview": {**azure, "api_version": "2025-04-01-preview"},
    }


PROFILES = ("openai", "azure", "azure-dated", "azure-preview")


@pytest.fixture
async def gateway(account: Account, open_gateway: OpenGateway) -> Gateway:
    """A gateway with the four profiles and `openai` as the default."""
    return await open_gateway({"providers": profiles(account), "default_provider": "openai"})


def in_ci() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("CI") == "true"
