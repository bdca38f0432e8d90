"""How commands reach a gateway, and what they say where they do not."""

import socket
from pathlib import Path

import pytest

from batchgate_client.cli import diagnosis
from tests.callers.conftest import OpenTeams, open_teams
from tests.callers.door import token_of
from tests.certificates import Authority, Issued
from tests.cli.conftest import Cli
from tests.conftest import Account, OpenGateway, profiles
from tests.secret_search import secret
from tests.tls.conftest import OpenTLS, authority, open_tls, server, tls_of

__all__ = ["authority", "open_teams", "open_tls", "server"]

# Asked once: lists are tried again for seconds while no gateway answers.
ASK = ("health",)
TOKEN = "team"


async def test_by_a_token(cli: Cli, open_teams: OpenTeams, here: Path) -> None:
    address = (await open_teams(**{TOKEN: {}}))[""].address
    (here / "token").write_text(f"{token_of(TOKEN)}\n")
    for options, variables in (
        (["--token", token_of(TOKEN)], {}),
        (["--token-file", "token"], {}),
        ([], {"BATCHGATE_TOKEN": token_of(TOKEN)}),
        ([], {"BATCHGATE_TOKEN_FILE": "token"}),
    ):
        done = await cli("providers", "--address", address, *options, **variables)
        assert done.code == 0, done.stderr
    wrong = await cli("providers", "--address", address, "--token", secret("bg_token-of-nobody"))
    assert wrong.code == 2
    first, hint = wrong.stderr.splitlines()
    assert first.startswith("batchgate: CALLER_UNAUTHENTICATED: ")
    assert hint == "  set BATCHGATE_TOKEN, or name a file with --token-file"


async def test_the_help_shows_no_token(cli: Cli) -> None:
    done = await cli("files", "list", "--help", BATCHGATE_TOKEN=token_of(TOKEN))
    assert "BATCHGATE_TOKEN" in done.stdout
    assert token_of(TOKEN) not in done.stdout


async def test_what_a_caller_may_not(cli: Cli, open_teams: OpenTeams) -> None:
    address = (await open_teams(**{TOKEN: {"allow": ["files.read"]}}))[""].address
    options = ("--address", address, "--token", token_of(TOKEN))
    refused = await cli("batches", "list", *options)
    assert refused.code == 2
    first, hint, request = refused.stderr.splitlines()
    assert first.startswith("batchgate: CALLER_NOT_PERMITTED: ")
    assert hint == "  who runs the gateway can allow it"
    assert request.startswith("  (request id ")


async def test_by_tls(cli: Cli, open_tls: OpenTLS, authority: Authority, server: Issued) -> None:
    address = (await open_tls(tls=tls_of(server))).address
    done = await cli(*ASK, "--address", address, "--tls-ca", authority.file)
    assert done.code == 0, done.stderr


async def test_by_mutual_tls(
    cli: Cli, open_tls: OpenTLS, authority: Authority, server: Issued, here: Path
) -> None:
    address = (await open_tls(tls=tls_of(server, client_ca=authority.file))).address
    own = authority.issue("caller")
    variables = {
        "BATCHGATE_ADDRESS": address,
        "BATCHGATE_TLS_CA": str(authority.file),
        "BATCHGATE_TLS_CERT": str(own.certificate_file),
        "BATCHGATE_TLS_KEY": str(own.key_file),
    }
    done = await cli(*ASK, **variables)
    assert done.code == 0, done.stderr
    foreign = Authority(here / "other").issue("stranger")
    files = {"CERT": foreign.certificate_file, "KEY": foreign.key_file}
    others = {f"BATCHGATE_TLS_{name}": str(file) for name, file in files.items()}
    stranger = await cli(*ASK, **{**variables, **others})
    assert stranger.stderr.splitlines()[1] == (
        "  it refuses your certificate; is it by an authority that the gateway knows?"
    )
    without = await cli(*ASK, "--address", address, "--tls-ca", authority.file)
    assert without.code == 1
    assert without.stderr.splitlines() == [
        f"batchgate: cannot reach the gateway at {address}",
        "  it wants a certificate of yours: --tls-cert and --tls-key",
    ]


async def test_tls_that_does_not_fit(
    cli: Cli,
    *,
    open_tls: OpenTLS,
    open_gateway: OpenGateway,
    account: Account,
    authority: Authority,
    server: Issued,
    here: Path,
) -> None:
    secure = (await open_tls(tls=tls_of(server))).address
    plain = (await open_gateway({"providers": profiles(account), "listen": "127.0.0.1:0"})).address
    other = Authority(here / "other").file
    for address, options, hint in (
        (secure, (), "it speaks TLS; name its authority with --tls-ca, or use --tls"),
        (plain, ("--tls-ca", authority.file), "it does not speak TLS; leave --tls and --tls-* out"),
        (secure, ("--tls-ca", other), "its certificate is not trusted: "),
        (secure, ("--tls",), "its certificate is not trusted: "),
    ):
        done = await cli(*ASK, "--address", address, *options)
        assert (done.code, done.stdout) == (1, "")
        first, second = done.stderr.splitlines()
        assert first == f"batchgate: cannot reach the gateway at {address}"
        assert second.startswith(f"  {hint}")


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("127.0.0.1:{free}", "nothing listens there; is it running, and is --address right?"),
        ("[::1]:{free}", "nothing listens there; is it running, and is --address right?"),
        ("unix:nowhere.sock", "there is no such socket; is it running, and is --address right?"),
        ("nobody.invalid:50051", "no machine has that name; see --address"),
        ("dns:///nobody.invalid:50051", "no machine has that name; see --address"),
    ],
)
async def test_no_gateway(cli: Cli, address: str, hint: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    address = address.format(free=free)
    done = await cli(*ASK, "--address", address)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"batchgate: cannot reach the gateway at {address}",
        f"  {hint}",
    ]


async def test_a_web_server(cli: Cli, account: Account) -> None:
    address = account.url.removeprefix("http://")
    done = await cli(*ASK, "--address", address)
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"batchgate: cannot reach the gateway at {address}",
        "  a web server listens there, no gateway; is --address right?",
    ]


async def test_a_gateway_that_is_silent(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        done = await cli(*ASK, "--address", address, "--timeout", "0.2")
    assert done.code == 1
    first, hint, *_ = done.stderr.splitlines()
    assert first.startswith("batchgate: DEADLINE_EXCEEDED: ")
    assert hint == "  it took longer than 0.2 s; raise --timeout"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--address", "http://127.0.0.1:50051"],
            "--address is HOST:PORT, [V6]:PORT or unix:/path, without http://",
        ),
        (
            ["--address", "https://gateway:443"],
            (
                "--address is HOST:PORT, [V6]:PORT or unix:/path, without https://, and TLS is "
                "asked for by --tls"
            ),
        ),
        (
            ["--address", "gateway"],
            "--address is HOST:PORT, [V6]:PORT or unix:/path, not 'gateway'",
        ),
        (
            ["--address", "gateway:99999"],
            "--address is HOST:PORT, [V6]:PORT or unix:/path, not 'gateway:99999'",
        ),
        (["--tls-cert", "x.pem"], "--tls-cert and --tls-key go together"),
        (["--tls-ca", "missing.pem"], "--tls-ca missing.pem: No such file or directory"),
        (["--tls-ca", "text"], "--tls-ca text: is no PEM file"),
        (["--token-file", "missing"], "--token-file missing: No such file or directory"),
        (["--token-file", "text"], "--token-file text: holds no token"),
    ],
)
async def test_options_that_cannot_be(
    cli: Cli, here: Path, options: list[str], message: str
) -> None:
    (here / "text").write_text("two words\n")
    refused = await cli("files", "list", *options)
    assert (refused.code, refused.stdout) == (2, "")
    assert refused.stderr == f"batchgate: {message}\n"


async def test_each_reason_has_its_advice() -> None:
    from batchgate.v1.error_reason_pb2 import ErrorReason  # noqa: PLC0415
    from batchgate_client.cli.advice import ADVICE  # noqa: PLC0415

    names = {name.removeprefix("ERROR_REASON_") for name, _ in ErrorReason.items()}
    assert ADVICE.keys() <= names


async def test_the_switch_for_tls(cli: Cli, open_teams: OpenTeams) -> None:
    address = (await open_teams(**{TOKEN: {}}))[""].address
    done = await cli(*ASK, "--address", address, BATCHGATE_TLS="0")
    assert done.code == 0, done.stderr
    unclear = await cli(*ASK, "--address", address, BATCHGATE_TLS="yes")
    message = "BATCHGATE_TLS is 'yes': give 1, true or on, or 0, false or off"
    assert (unclear.code, unclear.stderr) == (2, f"batchgate: {message}\n")
    both = await cli(*ASK, "--address", address, "--tls-ca", "ca.pem", BATCHGATE_TLS="off")
    message = "BATCHGATE_TLS is off, and --tls-ca asks for TLS: unset one of them"
    assert (both.code, both.stderr) == (2, f"batchgate: {message}\n")


async def test_a_proxy_on_the_way_is_named(cli: Cli, open_teams: OpenTeams) -> None:
    address = (await open_teams(**{TOKEN: {}}))[""].address
    proxy = {"https_proxy": "http://127.0.0.1:1", "no_proxy": ""}
    assert (await cli(*ASK, "--address", address, **proxy)).code == 0
    done = await cli(*ASK, "--address", "gateway.example:443", **proxy)
    assert done.code == 1
    assert done.stderr.splitlines() == [
        "batchgate: cannot reach the gateway at gateway.example:443",
        "  through the proxy 127.0.0.1:1, which https_proxy names",
        "  no_proxy=gateway.example goes there without it",
    ]
