"""The gateway's clock jumps: tokens of Microsoft Entra go on being good ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchgate.v1 import file_service_pb2
from batchgate_sandbox.server import SandboxServer
from batchgate_server.providers.entra import REFUSED_AGAIN_SECONDS
from tests.chaos.clock import Clock
from tests.chaos.processes import Gateway
from tests.conftest import Account
from tests.stubs import file_stub
from tests.token_service import TokenService, token_service
from tests.waiting import eventually

pytestmark = pytest.mark.slow
HOUR = 3600
CONFIGURATION = """
[providers.azure]
kind = "azure_openai"
endpoint = "{endpoint}"
[providers.azure.entra]
method = "managed_identity"
"""


@dataclass
class Travelling:
    """A gateway whose clock can be set, and where it gets its tokens."""

    clock: Clock
    tokens: TokenService
    files: Any
    sandbox: SandboxServer

    async def call(self) -> None:
        """A call that needs a token."""
        await self.files.ListFiles(file_service_pb2.ListFilesRequest(), timeout=10)

    async def revoke(self) -> None:
        """The provider refuses the newest token from now on, as one that is too old."""
        account = Account(key=self.tokens.token(self.tokens.given), url=self.sandbox.url)
        await account.fault(kind="answer", status=401, times=None)


@asynccontextmanager
async def travelling(directory: Path, sandbox: SandboxServer) -> AsyncIterator[Travelling]:
    """A gateway and its token service."""
    clock = Clock(directory / "clock")
    # Without TLS: to a clock that is off by a day certificates are none.
    async with token_service(None) as tokens:
        configuration = CONFIGURATION.format(endpoint=sandbox.url)
        variables = {"AZURE_POD_IDENTITY_AUTHORITY_HOST": f"http://127.0.0.1:{tokens.port}"}
        gateway = Gateway(directory, configuration=configuration, **clock.variables, **variables)
        await asyncio.to_thread(gateway.start)
        try:
            async with grpc.aio.insecure_channel(gateway.address) as channel:
                files = file_stub(channel)
                yield Travelling(clock, tokens, files, sandbox)
        finally:
            gateway.close()


@pytest.mark.parametrize("hours", [2, -2], ids=["forward", "back"])
async def test_a_token_is_renewed_after_a_jump(
    tmp_path: Path, sandbox: SandboxServer, hours: int
) -> None:
    """Forward, it seems to be over and is renewed; back, the provider says that it is over."""
    async with travelling(tmp_path, sandbox) as gateway:
        await gateway.call()
        await gateway.call()
        assert gateway.tokens.given == 1
        # The next ones are good even by a clock that is ahead.
        gateway.tokens.lifetime_seconds = 4 * HOUR
        await asyncio.to_thread(gateway.clock.jump, hours * HOUR)
        if hours < 0:
            await gateway.revoke()

        async def renewed() -> bool:
            # The library looks at its file every second or two.
            await gateway.call()
            return gateway.tokens.given > 1

        await eventually(renewed)
        await gateway.call()
        assert gateway.tokens.given == 2


async def test_a_refused_token_is_renewed_although_the_clock_went_back(
    tmp_path: Path, sandbox: SandboxServer
) -> None:
    """The pause between two renewals is one of real seconds, not of the clock's."""
    async with travelling(tmp_path, sandbox) as gateway:
        await gateway.call()
        await gateway.revoke()
        await gateway.call()
        assert gateway.tokens.given == 2
        await asyncio.to_thread(gateway.clock.jump, -24 * HOUR)
        await gateway.revoke()
        async with asyncio.timeout(REFUSED_AGAIN_SECONDS + 10):
            while True:
                try:
                    await gateway.call()
                except grpc.aio.AioRpcError as error:
                    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION  # noqa: PT017 - mostly none
                    await asyncio.sleep(0.2)
                else:
                    break
        assert gateway.tokens.given == 3
