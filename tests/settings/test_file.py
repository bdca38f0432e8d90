"""What a file may say, and what is answered when it cannot be read."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from batchgate_server.settings import (
    AzureOpenAIProfile,
    ConfigurationError,
    OpenAIProfile,
    Settings,
    load_settings,
)

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]

FULL = """
listen = "[::1]:0"
default_provider = "azure-eu"
[log]
format = "json"
level = "debug"
[server]
workers = 2
drain_delay_seconds = 0
connection_age_seconds = 600
max_message_bytes = 8388608
max_connections = 100
max_calls_per_connection = 10
idle_connection_seconds = 60
shutdown_grace_seconds = 5
reflection = false
[providers.openai]
kind = "openai"
base_url = "https://eu.api.openai.com/v1/"
api_key = { env = "KEY" }
organization = "org-1"
project = "proj_1"
connect_timeout_seconds = 1
timeout_seconds = 2.5
idle_timeout_seconds = 3
max_connections = 4
proxy_url = "http://proxy.example:3128"
retries = 0
retry_first_seconds = 0.25
retry_cap_seconds = 60
breaker_failures = 0
breaker_after_seconds = 0
breaker_probe_seconds = 1
max_upload_bytes = 5
max_batch_file_bytes = 6
input_expires_after = "36h"
output_expires_after = 3600
max_requests_per_batch = 7
max_line_bytes = 8
models = { "gpt-4o" = "deployment" }
[providers.azure-eu]
kind = "azure_openai"
endpoint = "https://name.openai.azure.com/openai/v1/"
api_version = "2024-10-21"
entra_token = { env = "TOKEN" }
"""
SMALL = '[providers.openai]\nkind = "openai"\napi_key = { env = "KEY" }\n'


def test_every_setting(load: Load) -> None:
    settings = load(FULL, {"KEY": "sk-1", "TOKEN": "ey.1"})
    assert settings.listen == "[::1]:0"
    assert settings.default_provider == "azure-eu"
    assert (settings.log.format, settings.log.level) == ("json", "debug")
    given = {"max_message_bytes": 8388608, "shutdown_grace_seconds": 5.0, "reflection": False}
    server = settings.server.model_dump()
    assert {**server, **given} == server
    assert list(settings.providers) == ["openai", "azure-eu"]
    openai, azure = settings.providers.values()
    assert isinstance(openai, OpenAIProfile)
    assert openai.api_key is not None
    assert openai.api_key.get_secret_value() == "sk-1"
    assert openai.model_dump(exclude={"api_key"}) == {
        "name": "openai",
        "kind": "openai",
        "base_url": "https://eu.api.openai.com/v1",
        "organization": "org-1",
        "project": "proj_1",
        "connect_timeout_seconds": 1.0,
        "timeout_seconds": 2.5,
        "idle_timeout_seconds": 3.0,
        "max_connections": 4,
        "max_waiting": 100,
        "caller_credentials": False,
        "ca_file": None,
        "client_certificate_file": None,
        "client_key_file": None,
        "proxy_url": SecretStr("http://proxy.example:3128"),
        "retries": 0,
        "retry_first_seconds": 0.25,
        "retry_cap_seconds": 60.0,
        "breaker_failures": 0,
        "breaker_after_seconds": 0.0,
        "breaker_probe_seconds": 1.0,
        "max_upload_bytes": 5,
        "max_batch_file_bytes": 6,
        "input_expires_after": 129600,
        "output_expires_after": 3600,
        "max_requests_per_batch": 7,
        "max_line_bytes": 8,
        "models": {"gpt-4o": "deployment"},
    }
    assert isinstance(azure, AzureOpenAIProfile)
    assert azure.name == "azure-eu"
    assert azure.endpoint == "https://name.openai.azure.com"
    assert azure.api_version == "2024-10-21"
    assert azure.api_key is None
    assert azure.entra_token is not None
    assert azure.entra_token.get_secret_value() == "ey.1"


def test_defaults(load: Load) -> None:
    settings = load(SMALL, {"KEY": "sk-1"})
    assert settings.listen == "127.0.0.1:50051"
    assert settings.default_provider is None
    assert (settings.log.format, settings.log.level) == ("console", "info")
    assert settings.server.max_message_bytes == 4 * 1024 * 1024
    assert settings.server.shutdown_grace_seconds == 30
    assert settings.server.reflection
    profile = settings.providers["openai"]
    assert isinstance(profile, OpenAIProfile)
    assert profile.base_url == "https://api.openai.com/v1"
    assert (profile.organization, profile.project) == (None, None)
    assert profile.connect_timeout_seconds == 5
    assert profile.timeout_seconds == 600
    assert profile.idle_timeout_seconds == 120
    assert profile.max_connections == 100
    assert profile.max_upload_bytes == 512 * 1024 * 1024
    assert profile.max_batch_file_bytes == 200 * 1024 * 1024


def test_the_file_is_named_by_a_variable_unless_given(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('listen = "127.0.0.1:1"\n' + SMALL)
    other.write_text('listen = "127.0.0.1:2"\n' + SMALL)
    environment = {"BATCHGATE_CONFIG": str(one), "KEY": "sk-1"}
    assert load_settings(environment=environment).listen == "127.0.0.1:1"
    assert load_settings(environment=environment, config=other).listen == "127.0.0.1:2"


def test_a_byte_order_mark_does_no_harm(load: Load) -> None:
    assert load("\ufeff" + SMALL, {"KEY": "sk-1"}).providers


@pytest.mark.parametrize(
    ("toml", "position"),
    [
        ('listen = "a"\nlog = = 1\n', "line 2, column 7"),
        ("a = [1,\n2", "line 2, column 2"),
        ("a = [1,\n", "line 2, column 1"),
    ],
)
def test_a_syntax_error_has_file_line_and_column(tmp_path: Path, toml: str, position: str) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text(toml)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config=config, environment={})
    (problem,) = caught.value.problems
    assert problem.place == f"{config}, {position}"
    assert problem.message.startswith("not valid TOML: ")
    assert "(at " not in problem.message


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    config = tmp_path / "none.toml"
    with pytest.raises(ConfigurationError) as caught:
        load_settings(config=config, environment={"BATCHGATE_PROVIDERS__X__API_KEY": "k"})
    assert str(caught.value) == (
        f"{config}: the configuration file cannot be read: No such file or directory"
    )


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    config = tmp_path / "binary.toml"
    config.write_bytes(b'listen = "\xff"')
    with pytest.raises(ConfigurationError, match=r"not UTF-8 text \(byte 10\)$"):
        load_settings(config=config, environment={})


def test_all_mistakes_at_once(problems: Problems) -> None:
    found = problems(
        """
        listn = "127.0.0.1:1"
        _env_file = "x"
        default_provider = "opnai"
        listen = "nowhere"
        log = { format = "xml", colour = true }
        [server]
        max_message_bytes = true
        reflection = "perhaps"
        shutdown_grace_seconds = inf
        [providers.openai]
        kind = "openai"
        api_key = { env = "MISSING" }
        max_connections = 0
        max_upload_bytes = 1.5
        timeout_seconds = "soon"
        idle_timeout_seconds = 0
        project = ""
        endpoint = "https://a"
        [providers.azure-eu]
        kind = "azure"
        api_version = "2024-13-01"
        api_ky = 3
        [providers."Bad Name"]
        api_key = { env = "KEY" }
        name = "x"
        [providers.neither]
        kind = "azure_openai"
        endpoint = "https://a"
        [providers.both]
        kind = "azure_openai"
        endpoint = "https://a"
        api_key = { env = "KEY" }
        entra_token = { env = "KEY" }
        [providers.bare]
        kind = "openai"
        base_url = 3
        """,
        {"KEY": "k", "BATCHGATE_LOG__LEVEL": "loud", "BATCHGATE_LOG_FORMAT": "json"},
    )
    name_rule = (
        "a profile's name must be 1 to 63 of a-z, 0-9, _, . and -, and begin with a letter or digit"
    )
    assert found == {
        "listn": "unknown key; did you mean listen?",
        "_env_file": "unknown key",
        "BATCHGATE_LOG_FORMAT": "no such setting; did you mean BATCHGATE_LOG__FORMAT?",
        "BATCHGATE_LOG__LEVEL": 'must be "debug", "info", "warning" or "error"',
        "default_provider": "must name a profile: openai, azure-eu, Bad Name, neither, both, bare"
        "; did you mean openai?",
        "listen": 'must be "host:port", "[v6]:port" or "unix:/path"',
        "log.format": 'must be "json" or "console"',
        "log.colour": "unknown key",
        "server.max_message_bytes": "must be a number",
        "server.reflection": "must be true or false",
        "server.shutdown_grace_seconds": "must be a finite number",
        "providers.openai.api_key": "the environment variable MISSING is not set",
        "providers.openai.max_connections": "must be at least 1",
        "providers.openai.max_upload_bytes": "must be a whole number",
        "providers.openai.timeout_seconds": "must be a number",
        "providers.openai.idle_timeout_seconds": "must be more than 0",
        "providers.openai.project": "must be visible ASCII without spaces, and not empty",
        "providers.openai.endpoint": 'belongs to kind "azure_openai", not to kind "openai"',
        "providers.azure-eu.kind": 'must be "openai" or "azure_openai"',
        "providers.azure-eu.endpoint": "is required",
        "providers.azure-eu.api_version": 'must be "v1", "YYYY-MM-DD" or "YYYY-MM-DD-preview"',
        "providers.azure-eu.api_ky": "unknown key; did you mean api_key?",
        "providers.azure-eu": "needs exactly one of api_key, entra_token, entra and caller_credentials",
        'providers."Bad Name"': name_rule,
        'providers."Bad Name".kind': 'is required: "openai" or "azure_openai"',
        'providers."Bad Name".name': "is the table's own key, not set inside it",
        "providers.neither": "needs exactly one of api_key, entra_token, entra and caller_credentials",
        "providers.both": "needs exactly one of api_key, entra_token, entra and caller_credentials",
        "providers.bare.base_url": "must be a string",
        "providers.bare.api_key": 'is required: { env = "NAME" } or { file = "path" }',
    }


@pytest.mark.parametrize(
    "toml", ["providers = 3", "providers.openai = 3", "log = 3", "server = []"]
)
def test_a_value_in_place_of_a_table(problems: Problems, toml: str) -> None:
    if not toml.startswith("providers"):
        toml += "\n" + SMALL
    place = toml.split(" =")[0]
    assert problems(toml, {"KEY": "k"}) == {place: "must be a table"}


def test_a_guessed_kind_makes_no_second_mistake(problems: Problems) -> None:
    """Without a kind, keys of either kind are taken as right."""
    found = problems(
        '[providers.x]\nbase_url = "https://a"\napi_key = { env = "K" }\nproject = "p"\nentra_token = { env = "K" }',
        {"K": "k"},
    )
    assert found == {"providers.x.kind": 'is required: "openai" or "azure_openai"'}


@pytest.mark.parametrize("version", ["v1", "2024-10-21", "2025-04-01-preview"])
def test_api_versions(load: Load, version: str) -> None:
    toml = f'[providers.a]\nkind = "azure_openai"\nendpoint = "https://a"\napi_key.env = "K"\napi_version = "{version}"'
    profile = load(toml, {"K": "k"}).providers["a"]
    assert isinstance(profile, AzureOpenAIProfile)
    assert profile.api_version == version


@pytest.mark.parametrize(
    "version",
    [
        "",
        "v2",
        "V1",
        "preview",
        "latest",
        "2024-10",
        "20241021",
        "2024-02-30",
        "2024-10-21-beta",
        "2024-10-21 ",
    ],
)
def test_wrong_api_versions(problems: Problems, version: str) -> None:
    toml = f'[providers.a]\nkind = "azure_openai"\nendpoint = "https://a"\napi_key.env = "K"\napi_version = "{version}"'
    assert problems(toml, {"K": "k"}) == {
        "providers.a.api_version": 'must be "v1", "YYYY-MM-DD" or "YYYY-MM-DD-preview"'
    }


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("max_message_bytes", "1023", "must be at least 1024"),
        ("max_message_bytes", "2147483648", "must be at most 2147483647"),
        ("max_message_bytes", '"many"', "must be a whole number"),
        ("max_message_bytes", "[]", "must be a whole number"),
        ("shutdown_grace_seconds", "-1", "must be at least 0"),
        ("shutdown_grace_seconds", "[]", "must be a number"),
        ("reflection", "[]", "must be true or false"),
    ],
)
def test_limits_of_the_server(problems: Problems, key: str, value: str, message: str) -> None:
    toml = f"[server]\n{key} = {value}\n{SMALL}"
    assert problems(toml, {"KEY": "k"}) == {f"server.{key}": message}
