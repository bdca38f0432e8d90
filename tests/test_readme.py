"""What the README says is so: its table, its configuration, its errors, and each grpcurl line."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from batchgate.v1 import (
    batch_service_pb2,
    error_reason_pb2,
    file_service_pb2,
    provider_service_pb2,
)
from batchgate_server import errors
from batchgate_server.settings import load_settings
from tests.readme import README, with_tables
from tests.tools import tool

TEXT = README.read_text()
SECTIONS = dict(
    part.partition("\n")[::2] for part in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
)


def blocks(section: str, language: str) -> list[str]:
    """The fenced blocks of a section."""
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], flags=re.DOTALL)


def test_the_tables_are_current() -> None:
    assert with_tables(TEXT) == TEXT, "run `python -m tests.readme`"


def test_the_configuration_is_one(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key-of-azure\n")
    text = blocks("Configuration", "toml")[0].replace("/run/secrets/azure-eu", str(secret))
    file = tmp_path / "batchgate.toml"
    file.write_text(text)
    settings = load_settings(config=file, environment={"OPENAI_API_KEY": "sk-1"})
    assert list(settings.providers) == list(tomllib.loads(text)["providers"])


def error_classes(base: type[errors.GatewayError]) -> Iterator[type[errors.GatewayError]]:
    for kind in base.__subclasses__():
        if "reason" in vars(kind):
            yield kind
        yield from error_classes(kind)


def test_the_table_of_errors_names_each_reason_with_its_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([A-Z_]+) \|", SECTIONS["Errors"], flags=re.MULTILINE)
    classes = {kind.reason: kind.code.name for kind in error_classes(errors.GatewayError)}
    reasons = {
        name.removeprefix("ERROR_REASON_")
        for name, number in error_reason_pb2.ErrorReason.items()
        if number
    }
    assert dict(rows) == classes
    assert reasons == classes.keys()


def test_every_rpc_has_a_grpcurl_line() -> None:
    called = set(re.findall(r"batchgate\.v1\.\w+/\w+", SECTIONS["Call it with grpcurl"]))
    assert called == {
        f"{service.full_name}/{method.name}"
        for module in (file_service_pb2, batch_service_pb2, provider_service_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def started(
    *command: str, ready: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[None]:
    """A process of ours, from its word that it is ready to its clean end."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "AZURE_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "batchgate_client", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=cwd,
        env={**clean, **(environment or {})},
    )
    assert process.stdout
    with process:
        try:
            assert any(ready in line for line in process.stdout), f"{command} did not start"
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0


class Shell:
    """Runs the README's blocks, with the ports and ids of this run put in."""

    def __init__(self, directory: Path, *, port: int) -> None:
        self._directory = directory
        programs = (tool("grpcurl"), sys.executable)
        self._path = ":".join([*(str(Path(one).parent) for one in programs), os.environ["PATH"]])
        self.words = {"127.0.0.1:50051": f"127.0.0.1:{port}"}

    def run(self, block: str) -> subprocess.CompletedProcess[str]:
        for word, value in self.words.items():
            block = block.replace(word, value)
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self._directory,
            env={**os.environ, "PATH": self._path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def wait_for(self, block: str, field: str) -> None:
        while True:
            batch = json.loads(self.run(block).stdout)["batch"]
            if batch["status"] == "BATCH_STATUS_COMPLETED":
                self.words["file-out123"] = batch[field]
                return


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    port, provider = free_port(), free_port()
    shell = Shell(tmp_path, port=port)
    line = re.search(r"^(OPENAI_\S+ \S+) batchgate serve$", SECTIONS["Start it"], re.MULTILINE)
    assert line
    words = line[1].replace("8085", str(provider)).split()
    environment = dict(word.split("=", 1) for word in words)
    with (
        started("sandbox", "--listen", f"127.0.0.1:{provider}", ready="listening"),
        started(
            "serve", "--listen", f"127.0.0.1:{port}", ready="listening", environment=environment
        ),
    ):
        yield shell


def test_the_grpcurl_lines_run_one_after_the_other(shell: Shell) -> None:
    get_batch = (
        'grpcurl -plaintext -d \'{"batch_id": "batch_abc123"}\' 127.0.0.1:50051 '
        "batchgate.v1.BatchService/GetBatch"
    )
    outputs = {}
    for block in blocks("Call it with grpcurl", "sh"):
        if "file-out123" in block:
            shell.wait_for(get_batch, "output_file_id")
        result = shell.run(block)
        last = block.strip().splitlines()[-1]
        method = re.findall(r"v1\.\w+/(\w+)", block)[0]
        outputs[method] = result.stdout + result.stderr
        if method in {"CancelBatch", "RetryBatch"}:
            assert result.returncode != 0
            assert "FailedPrecondition" in result.stderr
            assert "PROVIDER_CONFLICT" in result.stderr
            continue
        assert result.returncode == 0, (last, result.stderr)
        if method == "UploadFile":
            shell.words["file-abc123"] = json.loads(result.stdout)["file"]["id"]
        if method == "CreateBatch":
            shell.words["batch_abc123"] = json.loads(result.stdout)["batch"]["id"]
    assert "SERVING" in outputs["Check"]
    assert "PROVIDER_HEALTH_STATE_HEALTHY" in outputs["ListProviders"]
    assert '"custom_id": "one"' in outputs["DownloadFile"].replace('":"', '": "')
    assert '"custom_id": "one"' in outputs["StreamBatchResults"]
    assert "nothing is left to retry" in outputs["RetryBatch"]
    assert '"deleted": true' in outputs["DeleteFile"]


def test_the_example_in_python_runs(shell: Shell) -> None:
    (example,) = blocks("Call it from code", "python")
    for word, value in shell.words.items():
        example = example.replace(word, value)
    done = subprocess.run(
        [sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("a True {")
