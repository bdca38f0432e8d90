"""TLS in the configuration: its files, what can be wrong with them, and when it may be left out."""

import base64
import tempfile
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.settings.certificates import read_identity
from tests.certificates import Authority, Issued, private_key
from tests.settings.conftest import Load, Problems

PROVIDER = '[providers.openai]\nkind = "openai"\napi_key = { env = "KEY" }\n'
KEY = {"KEY": "sk-1"}
FILES = 'certificate_file = "server.pem"\nkey_file = "server.key"\n'
PAIR = f"{PROVIDER}[tls]\n{FILES}"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Issued:
    return authority.issue("server")


def test_relative_paths_start_at_the_configuration(
    load: Load, server: Issued, authority: Authority
) -> None:
    tls = load(f'{PAIR}client_ca_file = "ca.pem"\n', KEY).tls
    assert tls
    assert (tls.certificate_file, tls.key_file) == (server.certificate_file, server.key_file)
    assert tls.client_ca_file == authority.file


def test_from_variables(load: Load, server: Issued) -> None:
    """Their relative paths start where the process does, as in a shell."""
    variables = {
        "BATCHGATE_TLS__CERTIFICATE_FILE": str(server.certificate_file),
        "BATCHGATE_TLS__KEY_FILE": str(server.key_file),
    }
    tls = load(PROVIDER, {**KEY, **variables}).tls
    assert tls
    assert tls.client_ca_file is None
    other = f"{PROVIDER}[tls]\ncertificate_file = 'a'\nkey_file = 'b'\n"
    assert load(other, {**KEY, **variables}).tls == tls


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa", "p384", "p521", "ed25519"],
)
def test_kinds_of_keys(load: Load, authority: Authority, key: Any) -> None:
    authority.issue("server", key=key)
    assert load(PAIR, KEY).tls


def test_one_without_the_other(problems: Problems, server: Issued) -> None:
    only_key = f'{PROVIDER}[tls]\nkey_file = "server.key"\n'
    assert problems(only_key, KEY) == {"tls.certificate_file": "is required"}
    only_certificate = f'{PROVIDER}[tls]\ncertificate_file = "server.pem"\n'
    assert problems(only_certificate, KEY) == {"tls.key_file": "is required"}
    variable = {"BATCHGATE_TLS__CLIENT_CA_FILE": str(server.certificate_file)}
    assert problems(PROVIDER, {**KEY, **variable}) == {
        "BATCHGATE_TLS__CERTIFICATE_FILE": "is required",
        "BATCHGATE_TLS__KEY_FILE": "is required",
    }


def test_all_mistakes_at_once(problems: Problems, tmp_path: Path) -> None:
    """With those of other tables too."""
    (tmp_path / "server.pem").write_text("nothing\n")
    toml = f'{PAIR}client_ca_file = "none.pem"\ncertificate = ""\n[log]\nlevel = "loud"\n'
    assert problems(toml, KEY) == {
        "tls.certificate_file": f"the file {tmp_path}/server.pem holds no readable PEM certificate",
        "tls.key_file": f"the file {tmp_path}/server.key cannot be read: No such file or directory",
        "tls.client_ca_file": (
            f"the file {tmp_path}/none.pem cannot be read: No such file or directory"
        ),
        "tls.certificate": "unknown key; did you mean certificate_file?",
        "log.level": 'must be "debug", "info", "warning" or "error"',
    }


@pytest.mark.parametrize("value", ['""', "3", "[]", '"a\\u0000b"'])
def test_what_is_no_path(problems: Problems, server: Issued, value: str) -> None:
    assert problems(f"{PAIR}client_ca_file = {value}\n", KEY) == {
        "tls.client_ca_file": "must be the path of a file"
    }


@pytest.mark.parametrize("kind", ["folder", "device", "endless"])
def test_what_is_no_file(problems: Problems, server: Issued, tmp_path: Path, kind: str) -> None:
    path = {"folder": tmp_path, "device": Path("/dev/zero"), "endless": tmp_path / "long"}[kind]
    if kind == "endless":
        with path.open("wb") as file:
            file.truncate(2**40)
        message = f"the file {path} is larger than 4194304 bytes"
    else:
        message = f"{path} is no regular file"
    found = problems(f'{PAIR}client_ca_file = "{path}"\n', KEY)
    assert found == {"tls.client_ca_file": message}


def test_a_certificate_that_is_none(problems: Problems, server: Issued, tmp_path: Path) -> None:
    whole, key = server.certificate, server.key
    place = f"the file {tmp_path}/server.pem"
    for content, message in (
        (b"", "holds no readable PEM certificate"),
        (b"\xff\x00", "holds no readable PEM certificate"),
        (key, "holds no readable PEM certificate"),
        (whole[:200], "holds no readable PEM certificate"),
        (whole.replace(b"M", b"A", 1), "holds no readable PEM certificate"),
        (whole + whole[:200], "ends in the middle of a certificate"),
    ):
        server.certificate_file.write_bytes(content)
        assert problems(PAIR, KEY) == {"tls.certificate_file": f"{place} {message}"}


def test_a_key_that_does_not_do(
    problems: Problems, authority: Authority, server: Issued, tmp_path: Path
) -> None:
    key = private_key(server.key)
    sealed = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"x"),
    )
    exotic = authority.issue("exotic", key=ec.generate_private_key(ec.SECP256K1()))
    place = f"{tmp_path}/server.key"
    for content, message in (
        (server.certificate, f"the file {place} holds no readable PEM private key"),
        (server.key[:150], f"the file {place} holds no readable PEM private key"),
        (
            sealed,
            (
                f"the key in {place} is encrypted; store it without a passphrase, readable for the "
                "gateway alone"
            ),
        ),
        (
            exotic.key,
            f"the key in {place} must be RSA, ECDSA (P-256, P-384, P-521) or Ed25519",
        ),
        (
            authority.issue("other").key,
            f"the key in {place} does not belong to the first certificate of certificate_file",
        ),
    ):
        server.key_file.write_bytes(content)
        found = problems(PAIR, KEY)
        assert found == {"tls.key_file": message}
        assert content.splitlines()[1].decode() not in str(found)


# Where, from the beginning to the end, and what stands there instead.
DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=2)


# The library says of some that a later release will refuse them.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@given(DAMAGE, DAMAGE)
def test_whatever_the_files_hold(
    certificate: list[tuple[float, int]], key: list[tuple[float, int]]
) -> None:
    """Damaged ones are used or refused by a message that names a file, never by another error."""
    with tempfile.TemporaryDirectory() as folder:
        server = Authority(Path(folder)).issue("server")
        for file, damage in ((server.certificate_file, certificate), (server.key_file, key)):
            first, *body, last = file.read_bytes().splitlines()
            content = bytearray(base64.b64decode(b"".join(body)))
            for place, byte in damage:
                content[int(place * len(content))] = byte
            lines = [first, base64.b64encode(content), last]
            file.write_bytes(b"\n".join(lines))
        try:
            read_identity(server.certificate_file, server.key_file, client_ca_file=None)
        except ValueError as problem:
            assert folder in str(problem)  # noqa: PT017 - either is well


@pytest.mark.parametrize("what", ["version", "kind of key"])
def test_a_certificate_of_an_unknown_kind(problems: Problems, server: Issued, what: str) -> None:
    first, *body, last = server.certificate.splitlines()
    content = base64.b64decode(b"".join(body))
    ec_public_key, p256 = bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d030107")
    assert content.count(ec_public_key) == content.count(p256) == 1
    if what == "version":
        content = content.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x30", 1)
    else:
        content = content.replace(p256, p256[:-1] + b"\x30")
    server.certificate_file.write_bytes(b"\n".join([first, base64.b64encode(content), last]))
    (message,) = problems(PAIR, KEY).values()
    assert message.endswith(
        "no readable PEM certificate"
        if what == "version"
        else "does not belong to the first certificate of certificate_file"
    )


def test_a_key_of_an_unknown_kind(problems: Problems, server: Issued) -> None:
    first, *body, last = server.key.splitlines()
    content = base64.b64decode(b"".join(body))
    p256 = bytes.fromhex("2a8648ce3d030107")
    content = content.replace(p256, p256[:-1] + b"\x30")
    server.key_file.write_bytes(b"\n".join([first, base64.b64encode(content), last]))
    assert problems(PAIR, KEY)["tls.key_file"].endswith("or Ed25519")


def test_the_gateways_own_certificate_comes_first(
    load: Load, problems: Problems, authority: Authority, server: Issued
) -> None:
    own = server.certificate
    server.certificate_file.write_bytes(own + authority.certificate)
    assert load(PAIR, KEY).tls
    server.certificate_file.write_bytes(authority.certificate + own)
    assert problems(PAIR, KEY).keys() == {"tls.key_file"}


def test_plaintext_off_loopback_only_if_said(
    load: Load, problems: Problems, server: Issued
) -> None:
    exposed = f'listen = "0.0.0.0:1"\nserver.allow_anonymous = true\n{PAIR}'
    assert load(exposed, KEY).tls
    exposed = exposed.partition("[tls]")[0]
    assert problems(exposed, KEY) == {
        "listen": "is reachable from other machines, and there is no TLS: add [tls] with "
        "certificate_file and key_file, or allow plaintext with --insecure"
    }
    assert load(f"server.insecure = true\n{exposed}", KEY).server.insecure
    overrides = {"server": {"insecure": True}}
    assert load(exposed, KEY, overrides).server.insecure
    assert load(exposed, {**KEY, "BATCHGATE_SERVER__INSECURE": "true"}).server.insecure
    for listen in ("127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/run/batchgate.sock"):
        assert not load(f'listen = "{listen}"\n{PROVIDER}', KEY).tls


def test_plaintext_to_everybody_is_told_at_once(problems: Problems) -> None:
    found = problems(f'listen = "0.0.0.0:1"\n{PROVIDER}[log]\nlevel = "loud"\n', KEY)
    assert found.keys() == {"listen", "log.level"}
    assert "--insecure; and no callers are configured" in found["listen"]


def test_a_mistake_in_tls_is_not_told_as_no_tls(problems: Problems) -> None:
    toml = f'listen = "0.0.0.0:1"\nserver.allow_anonymous = true\n{PAIR}'
    assert problems(toml, KEY).keys() == {"tls.certificate_file", "tls.key_file"}


def test_no_key_is_shown(load: Load, server: Issued) -> None:
    settings = load(PAIR, KEY)
    line = server.key.splitlines()[1].decode()
    assert line not in f"{settings!r} {settings.model_dump_json()}"
