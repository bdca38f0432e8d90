"""`batchgate serve`: what it hands to the server and what it says."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

import batchgate_server.__main__
from batchgate.v1 import provider_service_pb2, provider_service_pb2_grpc
from batchgate_client.cli.program import app
from batchgate_client.cli.serve import announcement
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

SECRET = "sk-secret"
OPENAI = OpenAIProfile(name="openai", api_key=SecretStr(SECRET))
AZURE = AzureOpenAIProfile(
    name="azure-eu",
    endpoint="https://name.openai.azure.com",
    api_version="2024-10-21",
    entra_token=SecretStr(SECRET),
)


@pytest.fixture
def environment() -> dict[str, str | None]:
    """Only an OpenAI key, whatever this process has."""
    private = ("BATCHGATE_", "OPENAI_", "AZURE_")
    cleared = dict.fromkeys(name for name in os.environ if name.startswith(private))
    return {**cleared, "OPENAI_API_KEY": SECRET}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which a server was started that ends at once."""
    served: list[Settings] = []

    def serve(
        settings: Settings, *, load: Callable[[], Settings], announce: Callable[[str], None]
    ) -> None:
        served.append(settings)
        announce("127.0.0.1:1234")

    monkeypatch.setattr(batchgate_server.__main__, "serve", serve)
    return served


def test_options_reach_the_settings(
    served: list[Settings], environment: dict[str, str | None], tmp_path: Path
) -> None:
    config = tmp_path / "batchgate.toml"
    config.write_text('listen = "127.0.0.1:1"\n[server]\nreflection = false\n')
    options = ["--listen", "127.0.0.1:0", "--log-format", "json", "--log-level", "error"]
    done = CliRunner().invoke(
        app, ["serve", "--config", str(config), *options], env=environment, catch_exceptions=False
    )
    assert done.exit_code == 0
    (settings,) = served
    assert settings.listen == "127.0.0.1:0"
    assert (settings.log.format, settings.log.level) == ("json", "error")
    assert not settings.server.reflection
    assert done.stdout == (
        "batchgate: listening on 127.0.0.1:1234\n  openai  openai at api.openai.com  (default)\n"
    )


@pytest.mark.parametrize(
    ("default", "lines"),
    [
        (
            "azure-eu",
            [
                "batchgate: listening on [::1]:1",
                "  openai    openai at api.openai.com",
                "  azure-eu  azure_openai at name.openai.azure.com, API 2024-10-21  (default)",
            ],
        ),
        (
            None,
            [
                "batchgate: listening on [::1]:1",
                "  openai    openai at api.openai.com",
                "  azure-eu  azure_openai at name.openai.azure.com, API 2024-10-21",
            ],
        ),
    ],
)
def test_the_announcement(default: str | None, lines: list[str]) -> None:
    settings = Settings(default_provider=default, providers={"openai": OPENAI, "azure-eu": AZURE})
    assert announcement("[::1]:1", settings).splitlines() == lines


def test_mistakes_are_told_by_the_name_that_was_typed(
    served: list[Settings], environment: dict[str, str | None], tmp_path: Path
) -> None:
    config = tmp_path / "batchgate.toml"
    config.write_text('[log]\nlevel = "loud"\n[providers.x]\nkind = "openai"\n')
    options = ["--listen", "nowhere", "--log-format", "xml"]
    done = CliRunner().invoke(app, ["serve", "--config", str(config), *options], env=environment)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "batchgate: the configuration cannot be used:",
        '  --listen: must be "host:port", "[v6]:port" or "unix:/path"',
        '  providers.x.api_key: is required: { env = "NAME" } or { file = "path" }',
        '  --log-format: must be "json" or "console"',
        '  log.level: must be "debug", "info", "warning" or "error"',
    ]
    assert not served


def test_plaintext_off_loopback_only_with_a_word(
    served: list[Settings], environment: dict[str, str | None]
) -> None:
    everybody = {**environment, "BATCHGATE_SERVER__ALLOW_ANONYMOUS": "true"}
    options = ["serve", "--listen", "0.0.0.0:0"]
    done = CliRunner().invoke(app, options, env=everybody)
    assert (done.exit_code, done.stdout, served) == (2, "", [])
    message = (
        "  --listen: is reachable from other machines, and there is no TLS: add [tls] with "
        "certificate_file and key_file, or allow plaintext with --insecure"
    )
    assert done.stderr.splitlines() == ["batchgate: the configuration cannot be used:", message]
    done = CliRunner().invoke(app, [*options, "--insecure"], env=everybody)
    assert (done.exit_code, [one.server.insecure for one in served]) == (0, [True])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "Address already in use"),
        (OSError("cannot"), "in use, or no address of this machine"),
    ],
)
def test_an_address_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str | None],
    error: OSError,
    reason: str,
) -> None:
    def serve(
        settings: Settings, *, load: Callable[[], Settings], announce: Callable[[str], None]
    ) -> None:
        raise error

    monkeypatch.setattr(batchgate_server.__main__, "serve", serve)
    done = CliRunner().invoke(app, ["serve", "--listen", "127.0.0.1:1"], env=environment)
    assert done.exit_code == 2
    assert (
        done.stderr
        == f"batchgate: cannot listen on 127.0.0.1:1: {reason}; choose another with --listen\n"
    )


def test_an_error_while_serving_is_no_listening_error(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str | None]
) -> None:
    def serve(
        settings: Settings, *, load: Callable[[], Settings], announce: Callable[[str], None]
    ) -> None:
        announce("127.0.0.1:1")
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(batchgate_server.__main__, "serve", serve)
    done = CliRunner().invoke(app, ["serve"], env=environment)
    assert isinstance(done.exception, OSError)
    assert done.exit_code == 1


@pytest.fixture
def start(
    environment: dict[str, str | None],
) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start real gateways."""
    with ExitStack() as stack:

        def start(listen: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(
                [sys.executable, "-m", "batchgate_client", "serve", "--listen", listen],
                env={**os.environ, **{name: text or "" for name, text in environment.items()}},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def test_a_real_gateway(start: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """It can be called as soon as it says where; a second one cannot have its address."""
    gateway = start("127.0.0.1:0")
    assert gateway.stdout is not None
    words, _, address = gateway.stdout.readline().strip().rpartition(" ")
    assert words == "batchgate: listening on"
    with grpc.insecure_channel(address) as channel:
        stub = provider_service_pb2_grpc.ProviderServiceStub(channel)
        answer = stub.ListProviders(provider_service_pb2.ListProvidersRequest(), timeout=30)
    assert [provider.name for provider in answer.providers] == ["openai"]

    second = start(address)
    output, errors = second.communicate(timeout=30)
    assert (second.returncode, output) == (2, "")
    assert f"batchgate: cannot listen on {address}: Address already in use" in errors
    assert "Traceback" not in errors

    gateway.send_signal(signal.SIGTERM)
    output, errors = gateway.communicate(timeout=30)
    assert gateway.returncode == 0
    assert SECRET not in output + errors


def test_everybody_is_let_in_only_if_said(
    served: list[Settings], environment: dict[str, str | None]
) -> None:
    command = ["serve", "--listen", "0.0.0.0:0", "--insecure"]
    refused = CliRunner().invoke(app, command, env=environment, catch_exceptions=False)
    assert refused.exit_code == 2
    assert "--listen: is reachable from other machines, and no callers" in refused.stderr
    assert "--allow-anonymous" in refused.stderr
    command.append("--allow-anonymous")
    allowed = CliRunner().invoke(app, command, env=environment, catch_exceptions=False)
    assert allowed.exit_code == 0, allowed.stderr
    assert [settings.listen for settings in served] == ["0.0.0.0:0"]
