"""The variables that say how a gateway is reached mean the same in the client of every language."""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchgate_sandbox.server import SandboxServer
from batchgate_server.callers.tokens import digest
from tests.certificates import Authority
from tests.polyglot.lives import mortal_gateway
from tests.polyglot.programs import PROGRAMS, Program, one_step, started
from tests.secret_search import secret

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 60.0
# How a handshake fails each library has a word of its own for.
FAILED = "not OK"
# Nobody listens there, and no call may go that way.
PROXY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Gateways:
    """One with TLS and one without, and the files that are needed for them."""

    plain: str
    secure: str
    files: Path
    token: str


@pytest.fixture(scope="module")
def gateways(
    sandbox: SandboxServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateways]:
    """Both, with a caller; the one with TLS asks for the caller's certificate too."""
    files = tmp_path_factory.mktemp("environment")
    authority = Authority(files)
    server = authority.issue("server")
    authority.issue("caller")
    token = secret(f"bg_{uuid.uuid4().hex}")
    (files / "token").write_text(f"{token}\n")
    callers = f'\n[callers.mine]\ntoken_sha256 = ["{digest(token)}"]\n'
    mutual = f"""
[tls]
certificate_file = "{server.certificate_file}"
key_file = "{server.key_file}"
client_ca_file = "{authority.file}"
"""
    with contextlib.ExitStack() as stack:
        addresses = []
        for name, configuration in (("plain", callers), ("secure", callers + mutual)):
            directory = tmp_path_factory.mktemp(name)
            key = f"sk-{uuid.uuid4().hex}"
            gateway = mortal_gateway(sandbox.url, directory, key=key, configuration=configuration)
            stack.callback(gateway.close)
            gateway.start()
            addresses.append(gateway.address)
        plain, secure = addresses
        yield Gateways(plain, secure, files, token)


@dataclass(frozen=True)
class Case:
    """Variables, and what comes of them: a status, or the word in the error where no client is made."""

    name: str
    secure: bool
    variables: dict[str, str]
    code: str = "OK"
    error: str = ""

    def environment(self, gateways: Gateways) -> dict[str, str]:
        """The variables without `BATCHGATE_`, files by their names, as a program gets them."""
        address = gateways.secure if self.secure else gateways.plain
        foreign = {name: "" for name in os.environ if name.startswith("BATCHGATE_")}
        given = {"ADDRESS": address, "TOKEN": gateways.token, **self.variables}
        files = {
            name: str(gateways.files / text) if text and "_" in name else text
            for name, text in given.items()
        }
        proxies = dict.fromkeys(("https_proxy", "http_proxy", "grpc_proxy"), PROXY)
        return {**foreign, **proxies, **{f"BATCHGATE_{name}": text for name, text in files.items()}}


FILES = {"TLS_CA": "ca.pem", "TLS_CERT": "caller.pem", "TLS_KEY": "caller.key"}
CASES = (
    Case("plaintext", secure=False, variables={}),
    Case("empty is unset", secure=False, variables={"TLS": "", "TLS_CA": "", "PROVIDER": ""}),
    Case("off", secure=False, variables={"TLS": "Off"}),
    Case("zero", secure=False, variables={"TLS": "0"}),
    Case("a token's file", secure=False, variables={"TOKEN": "", "TOKEN_FILE": "token"}),
    Case("no token", secure=False, variables={"TOKEN": ""}, code="UNAUTHENTICATED"),
    Case("a provider", secure=False, variables={"PROVIDER": "nobody"}, code="NOT_FOUND"),
    Case("TLS to plaintext", secure=False, variables={"TLS": "1"}, code=FAILED),
    Case("files", secure=True, variables=FILES),
    Case("on and files", secure=True, variables={"TLS": "TRUE", **FILES}),
    Case("plaintext to TLS", secure=True, variables={}, code=FAILED),
    Case("an unknown authority", secure=True, variables={"TLS": "on"}, code=FAILED),
    Case("neither", secure=False, variables={"TLS": "yes"}, error="BATCHGATE_TLS"),
    Case("off and files", secure=True, variables={"TLS": "0", **FILES}, error="BATCHGATE_TLS"),
    Case("half", secure=True, variables={**FILES, "TLS_KEY": ""}, error="together"),
    Case("no such file", secure=True, variables={**FILES, "TLS_CA": "none.pem"}, error="none.pem"),
)


@pytest.mark.parametrize(
    "program", [one for one in PROGRAMS if one.name != "grpcurl"], ids=lambda program: program.name
)
def test_the_variables_mean_the_same(program: Program, gateways: Gateways, tmp_path: Path) -> None:
    step = {"op": "ListAllFiles", "args": {}, "timeout_seconds": 10}
    different: list[object] = []
    for case in CASES:
        run = one_step(step)
        with started(program, run, tmp_path, **case.environment(gateways)) as process:
            out, errors = (text.decode() for text in process.communicate(timeout=SECONDS))
        if case.error:
            if process.returncode != 2 or case.error not in errors:
                different.append((case.name, process.returncode, out, errors[-500:]))
            continue
        code = json.loads(out)["code"] if out else errors[-500:]
        if (code == "OK") if case.code == FAILED else (code != case.code):
            different.append((case.name, code, case.code))
    assert not different
