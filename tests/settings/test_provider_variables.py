"""The start without a file: the providers' own variables."""

from collections.abc import Callable

import pytest

from batchgate_server.settings import (
    AzureOpenAIProfile,
    ConfigurationError,
    OpenAIProfile,
    Settings,
    load_settings,
)

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]

OPENAI = {"OPENAI_API_KEY": "sk-1"}
AZURE = {"AZURE_API_KEY": "az-1", "AZURE_API_BASE": "https://name.openai.azure.com/"}


def openai_of(load: Load, environment: dict[str, str]) -> OpenAIProfile:
    profile = load(None, environment).providers["openai"]
    assert isinstance(profile, OpenAIProfile)
    return profile


def azure_of(load: Load, environment: dict[str, str]) -> AzureOpenAIProfile:
    profile = load(None, environment).providers["azure"]
    assert isinstance(profile, AzureOpenAIProfile)
    return profile


def test_openai(load: Load) -> None:
    profile = openai_of(load, OPENAI)
    assert profile.api_key is not None
    assert profile.api_key.get_secret_value() == "sk-1"
    assert profile.base_url == "https://api.openai.com/v1"
    assert (profile.organization, profile.project) == (None, None)


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_openai_base_url(load: Load, variable: str) -> None:
    assert openai_of(load, OPENAI | {variable: "http://host:1/v1/"}).base_url == "http://host:1/v1"


@pytest.mark.parametrize(
    ("organization", "project"),
    [("OPENAI_ORGANIZATION", "OPENAI_PROJECT"), ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")],
)
def test_openai_tenancy(load: Load, organization: str, project: str) -> None:
    profile = openai_of(load, OPENAI | {organization: "org-1", project: "proj_1"})
    assert (profile.organization, profile.project) == ("org-1", "proj_1")


@pytest.mark.parametrize("key", ["AZURE_API_KEY", "AZURE_OPENAI_API_KEY"])
@pytest.mark.parametrize("endpoint", ["AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"])
def test_azure_with_a_key(load: Load, key: str, endpoint: str) -> None:
    profile = azure_of(load, {key: "az-1", endpoint: "https://name.openai.azure.com/openai"})
    assert profile.api_key is not None
    assert profile.api_key.get_secret_value() == "az-1"
    assert profile.entra_token is None
    assert profile.endpoint == "https://name.openai.azure.com"
    assert profile.api_version == "v1"


@pytest.mark.parametrize("token", ["AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"])
@pytest.mark.parametrize("version", ["AZURE_API_VERSION", "OPENAI_API_VERSION"])
def test_azure_with_a_token_and_a_version(load: Load, token: str, version: str) -> None:
    profile = azure_of(load, {token: "ey.1", "AZURE_API_BASE": "https://a", version: "2024-10-21"})
    assert profile.api_key is None
    assert profile.entra_token is not None
    assert profile.entra_token.get_secret_value() == "ey.1"
    assert profile.api_version == "2024-10-21"


def test_both(load: Load) -> None:
    environment = (
        OPENAI | AZURE | {"BATCHGATE_DEFAULT_PROVIDER": "azure", "BATCHGATE_LOG__FORMAT": "json"}
    )
    settings = load('listen = "127.0.0.1:1"\n[providers]', environment)
    assert list(settings.providers) == ["openai", "azure"]
    assert settings.default_provider == "azure"
    assert settings.listen == "127.0.0.1:1"
    assert settings.log.format == "json"


def test_a_file_with_providers_is_complete(load: Load, problems: Problems) -> None:
    toml = '[providers.mine]\nkind = "openai"\napi_key = { env = "MINE" }\n'
    environment = OPENAI | AZURE | {"OPENAI_BASE_URL": "https://elsewhere", "OPENAI_PROJECT": "p"}
    settings = load(toml, environment | {"MINE": "m"})
    assert list(settings.providers) == ["mine"]
    mine = settings.providers["mine"]
    assert isinstance(mine, OpenAIProfile)
    assert (mine.base_url, mine.project) == ("https://api.openai.com/v1", None)
    assert problems(toml, environment) == {
        "providers.mine.api_key": "the environment variable MINE is not set"
    }
    assert "providers.openai.api_key" in problems(
        '[providers.openai]\nkind = "openai"\n', environment
    )


def test_a_provider_of_a_variable_is_complete(load: Load) -> None:
    environment = {"BATCHGATE_PROVIDERS__X__KIND": "openai", "BATCHGATE_PROVIDERS__X__API_KEY": "x"}
    assert list(load(None, OPENAI | AZURE | environment).providers) == ["x"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"OPENAI_BASE_URL": "https://a", "OPENAI_API_VERSION": "v1"}, {"OPENAI_API_KEY": ""}],
)
def test_no_provider_says_how_to_add_one(problems: Problems, environment: dict[str, str]) -> None:
    found = problems(None, environment)
    assert list(found) == ["providers"]
    for way in (
        "OPENAI_API_KEY",
        "AZURE_API_KEY",
        "[providers.openai]",
        "--config",
        "BATCHGATE_CONFIG",
    ):
        assert way in found["providers"]


def test_no_provider_is_told_beside_other_mistakes(problems: Problems) -> None:
    found = problems('listen = "x"\ndefault_provider = "openai"', {"BATCHGATE_LOG__LEVEL": "x"})
    assert list(found) == ["providers", "listen", "BATCHGATE_LOG__LEVEL"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (
            {"AZURE_OPENAI_API_KEY": "k"},
            {
                "AZURE_API_BASE": "is required with AZURE_OPENAI_API_KEY, as https://NAME.openai.azure.com"
            },
        ),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://a"},
            {"AZURE_API_KEY": "is required with AZURE_OPENAI_ENDPOINT (or AZURE_AD_TOKEN)"},
        ),
        (
            {"AZURE_API_KEY": "k", "AZURE_AD_TOKEN": "t"},
            {
                "AZURE_API_BASE": "is required with AZURE_API_KEY, as https://NAME.openai.azure.com",
                "AZURE_AD_TOKEN": "cannot be set beside AZURE_API_KEY; keep one",
            },
        ),
        (
            AZURE | {"AZURE_API_VERSION": "v1", "OPENAI_API_VERSION": "2024-10-21"},
            {"OPENAI_API_VERSION": "differs from AZURE_API_VERSION, which sets the same; keep one"},
        ),
        (
            AZURE
            | {"AZURE_API_BASE": "name", "AZURE_API_VERSION": "preview", "AZURE_API_KEY": "a\nb"},
            {
                "AZURE_API_BASE": "must be an absolute URL that begins with https:// or http://",
                "AZURE_API_VERSION": 'must be "v1", "YYYY-MM-DD" or "YYYY-MM-DD-preview"',
                "AZURE_API_KEY": "the secret must be visible ASCII without spaces, line breaks or "
                'control characters (only the key itself, without "Bearer ")',
            },
        ),
    ],
)
def test_half_a_provider(
    problems: Problems, environment: dict[str, str], expected: dict[str, str]
) -> None:
    """What the environment begins is not left out silently, whatever else is there."""
    assert problems(None, environment | OPENAI) == expected


def test_variables_that_agree(load: Load) -> None:
    profile = azure_of(load, AZURE | {"AZURE_OPENAI_API_KEY": "az-1"})
    assert profile.api_key is not None


def test_without_a_mapping_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHGATE_PROVIDERS__REAL__KIND", "openai")
    monkeypatch.setenv("BATCHGATE_PROVIDERS__REAL__API_KEY", "k")
    assert "real" in load_settings().providers
    with pytest.raises(ConfigurationError, match="no provider is configured"):
        load_settings(environment={})
