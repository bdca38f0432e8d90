"""Callers in the configuration: their forms, and every mistake with its place."""

from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.settings.conftest import Load, Problems

PROVIDER = '[providers.openai]\nkind = "openai"\napi_key = { env = "KEY" }\n'
KEY = {"KEY": "sk-1"}
DIGEST = "ab" * 32
FULL = f"""
[providers.openai]
kind = "openai"
api_key = {{ env = "KEY" }}
[providers.azure-eu]
kind = "azure_openai"
endpoint = "https://name.openai.azure.com"
api_key = {{ env = "KEY" }}
[callers.team-a]
token_sha256 = ["{DIGEST.upper()}", "{"cd" * 32}"]
san = ["spiffe://mesh/ns/Team-A/sa/worker", "Worker.team-a.internal"]
providers = ["openai", "azure-eu"]
default_provider = "azure-eu"
allow = ["files.read", "batches.cancel"]
models = ["gpt-4o-mini"]
max_upload_bytes = 200_000_000
max_calls = 10
max_uploads = 2
max_watches = 20
calls_per_second = 0.5
bytes_per_day = 1_000_000
[callers.team-b]
token_sha256 = ["{"ef" * 32}"]
[limits]
max_calls = 100
"""


def test_every_setting(load: Load, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server = authority.issue("server")
    tls = f"""
    [tls]
    certificate_file = "{server.certificate_file}"
    key_file = "{server.key_file}"
    client_ca_file = "{authority.file}"
    """
    settings = load(FULL + tls, KEY)
    team = settings.callers["team-a"]
    assert team.model_dump() == {
        "name": "team-a",
        "token_sha256": (DIGEST, "cd" * 32),
        "san": ("spiffe://mesh/ns/Team-A/sa/worker", "worker.team-a.internal"),
        "providers": {"openai", "azure-eu"},
        "default_provider": "azure-eu",
        "allow": {"files.read", "batches.cancel"},
        "models": {"gpt-4o-mini"},
        "max_upload_bytes": 200_000_000,
        "max_calls": 10,
        "max_uploads": 2,
        "max_watches": 20,
        "calls_per_second": 0.5,
        "bytes_per_day": 1_000_000,
    }
    other = settings.callers["team-b"]
    assert (other.allow, other.providers, other.models, other.max_calls) == (None,) * 4
    assert (settings.limits.max_calls, settings.limits.max_watches) == (100, 10_000)


@pytest.mark.parametrize(
    ("line", "place", "message"),
    [
        ('token_sha256 = ["bg_secret"]', "token_sha256", "must be the SHA-256 of a token"),
        ('token_sha256 = "bg_secret"', "token_sha256", "must be a list"),
        ('san = ["*.example"]', "san", "must be the whole name in the certificate"),
        ('san = ["spiffe://a b"]', "san", "must be the whole name in the certificate"),
        ('providers = ["opnai"]', "providers", "has one that is no profile; did you mean openai?"),
        ("providers = []", "providers", "must name at least one"),
        ("models = []", "models", "must name at least one"),
        ('models = ["a\\nb"]', "models", "must be the name of a model"),
        ("allow = []", "allow", "must name at least one"),
        ('allow = ["files.delte"]', "allow", 'must be "files.read", "files.write"'),
        ('default_provider = "azure"', "default_provider", "must be a profile that the caller"),
        ("max_calls = 0", "max_calls", "must be at least 1"),
        ("max_calls = true", "max_calls", "must be a number"),
        ("calls_per_second = 0", "calls_per_second", "must be more than 0"),
        ("max_cals = 1", "max_cals", "unknown key; did you mean max_calls?"),
        ('name = "b"', "name", "is the table's own key, not set inside it"),
    ],
)
def test_a_mistake(problems: Problems, line: str, place: str, message: str) -> None:
    known = "" if line.startswith("token") else f'token_sha256 = ["{DIGEST}"]\n'
    found = problems(f"{PROVIDER}[callers.a]\n{known}{line}\n", KEY)
    found.pop("tls.client_ca_file", None)
    ((where, what),) = found.items()
    assert where == f"callers.a.{place}"
    assert what.startswith(message)
    assert "secret" not in what


def test_a_caller_has_a_proof(problems: Problems) -> None:
    assert problems(f"{PROVIDER}[callers.a]\n", KEY).keys() == {"callers.a.san"}


def test_a_name(problems: Problems) -> None:
    toml = f'{PROVIDER}[callers."Team A"]\ntoken_sha256 = ["{DIGEST}"]\n'
    assert problems(toml, KEY).keys() == {'callers."Team A"'}


def test_a_proof_is_of_one_caller(problems: Problems) -> None:
    same = f'token_sha256 = ["{DIGEST}"]\nsan = ["a.b"]\n'
    toml = f"{PROVIDER}[callers.a]\n{same}[callers.b]\n{same.upper().lower()}"
    assert problems(toml, KEY) == {
        "callers.b.token_sha256": "has one that is a's too; each is one's",
        "callers.b.san": "has one that is a's too; each is one's",
        "tls.client_ca_file": "is required where callers have a san",
    }


def test_all_mistakes_at_once(problems: Problems) -> None:
    toml = f"""
    listen = "0.0.0.0:1"
    {PROVIDER}
    [callers.a]
    token_sha256 = ["x"]
    providers = ["nobody"]
    [limits]
    max_calls = "many"
    """
    assert problems(toml, KEY).keys() == {
        "listen",
        "callers.a.token_sha256",
        "callers.a.providers",
        "limits.max_calls",
    }


def test_everybody_only_if_said(load: Load, problems: Problems) -> None:
    exposed = f'listen = "0.0.0.0:1"\nserver.insecure = true\n{PROVIDER}'
    assert problems(exposed, KEY)["listen"].startswith("is reachable from other machines")
    assert load(f"server.allow_anonymous = true\n{exposed}", KEY).server.allow_anonymous
    assert load(f'{exposed}[callers.a]\ntoken_sha256 = ["{DIGEST}"]\n', KEY).callers
    both = f'{PROVIDER}[callers.a]\ntoken_sha256 = ["{DIGEST}"]\n[server]\nallow_anonymous = true\n'
    assert problems(both, KEY).keys() == {"server.allow_anonymous"}


def test_callers_are_set_in_the_file_alone(problems: Problems) -> None:
    found = problems(PROVIDER, {**KEY, "BATCHGATE_CALLERS__A__MAX_CALLS": "1"})
    assert found == {
        "BATCHGATE_CALLERS__A__MAX_CALLS": "sets nothing; callers are set in the file alone"
    }
