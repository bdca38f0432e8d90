"""The command line against a real gateway and the sandbox: in this process, and as programs."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from batchgate_client.cli.program import app
from tests.conftest import Account, Gateway, OpenGateway
from tests.process.conftest import FOREIGN, serve, start
from tests.secret_search import collect
from tests.services.rows import line, quick_gateway

__all__ = ["serve", "start"]


@dataclass(frozen=True)
class Done:
    """What a command has left."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The answer, as its only line."""
        return json.loads(self.stdout)

    @property
    def rows(self) -> list[Any]:
        """The answer's lines."""
        return [json.loads(one) for one in self.stdout.split("\n")[:-1]]


Cli = Callable[..., Coroutine[Any, Any, Done]]


@pytest.fixture
def environment() -> dict[str, str | None]:
    """Nothing of what this process has."""
    return dict.fromkeys(name for name in os.environ if name.startswith(FOREIGN))


@pytest.fixture(autouse=True)
def gateway_log() -> Iterator[None]:
    """The gateway in this process logs to where the test began, not into a command's output."""
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(file=sys.stdout))
    yield
    structlog.reset_defaults()


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Where commands run; nothing else is in it."""
    directory = tmp_path / "here"
    directory.mkdir()
    return directory


@pytest.fixture
def cli(environment: dict[str, str | None], here: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `batchgate ARGUMENTS` in this process."""
    monkeypatch.chdir(here)

    async def run(*arguments: object, **variables: str) -> Done:
        # In a thread, since the gateway is in this one.
        result = await asyncio.to_thread(
            CliRunner().invoke,
            app,
            [str(one) for one in arguments],
            env={**environment, **variables},
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        collect("the command line", result.stdout + result.stderr)
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
async def quick(account: Account, open_gateway: OpenGateway) -> Gateway:
    """A gateway with the four profiles that looks often."""
    return await quick_gateway(account, open_gateway)


@pytest.fixture
def batchgate(cli: Cli, quick: Gateway) -> Cli:
    """The same, with that gateway's address in the environment."""

    async def run(*arguments: object, **variables: str) -> Done:
        return await cli(*arguments, BATCHGATE_ADDRESS=quick.address, **variables)

    return run


@pytest.fixture
def requests(here: Path) -> Path:
    """A batch file of four lines, one of which fails."""
    path = here / "requests.jsonl"
    path.write_bytes(b"".join([line("a"), line("b"), line("c", fail=503), line("d")]))
    return path
