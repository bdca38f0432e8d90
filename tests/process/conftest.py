"""Gateways as processes of their own, as they run in production: `python -m batchgate_client serve`."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import (
    provider_service_pb2_grpc,
)
from tests.conftest import Account
from tests.stubs import batch_stub, file_stub

FOREIGN = ("BATCHGATE_", "OPENAI_", "AZURE_")


@dataclass
class GatewayProcess:
    """A running gateway, and a channel to it."""

    process: asyncio.subprocess.Process
    address: str
    channel: grpc.aio.Channel
    files: Any = field(init=False)
    batches: Any = field(init=False)
    providers: Any = field(init=False)

    def __post_init__(self) -> None:
        self.files = file_stub(self.channel)
        self.batches = batch_stub(self.channel)
        self.providers = provider_service_pb2_grpc.ProviderServiceStub(self.channel)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> tuple[int, str]:
        """The exit code, and what was left of its output."""
        output, errors = await asyncio.wait_for(self.process.communicate(), 30)
        assert self.process.returncode is not None
        return self.process.returncode, output.decode() + (errors or b"").decode()


Serve = Callable[..., Awaitable[asyncio.subprocess.Process]]
Start = Callable[..., Awaitable[GatewayProcess]]


def environment(account: Account, **more: str) -> dict[str, str]:
    """Variables for OpenAI and Azure OpenAI, whatever this process has."""
    own = {name: text for name, text in os.environ.items() if not name.startswith(FOREIGN)}
    return {
        **own,
        "OPENAI_API_KEY": account.key,
        "OPENAI_BASE_URL": f"{account.url}/v1",
        "AZURE_API_KEY": account.key,
        "AZURE_API_BASE": account.url,
        "BATCHGATE_DEFAULT_PROVIDER": "openai",
        "BATCHGATE_SERVER__HEALTH_CHECK_SECONDS": "0",
        **more,
    }


@pytest.fixture
async def serve(account: Account) -> AsyncIterator[Serve]:
    """Runs `serve` with options; what still runs at the end is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def run(
        *options: str, stderr: int = asyncio.subprocess.PIPE, **variables: str
    ) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "batchgate_client", "serve", *options),
            env=environment(account, **variables),
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            limit=2**24,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        # Its pipes are closed by the loop's next turns.
        await asyncio.sleep(0)


@pytest.fixture
async def start(serve: Serve, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts gateways and waits until they say where they are."""
    async with AsyncExitStack() as stack:

        async def run(
            *options: str,
            listen: str | None = None,
            stderr: int = asyncio.subprocess.PIPE,
            **variables: str,
        ) -> GatewayProcess:
            listen = listen or f"unix:{tmp_path}/gateway.sock"
            process = await serve("--listen", listen, *options, stderr=stderr, **variables)
            assert process.stdout
            said = (await process.stdout.readline()).decode()
            assert said, str(await process.communicate())
            address = said.strip().rpartition(" ")[2]
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            )
            return GatewayProcess(process, address, channel)

        yield run
