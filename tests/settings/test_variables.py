"""`BATCHGATE_*` over the file, and the command line over both."""

from collections.abc import Callable
from dataclasses import fields

import pytest

from batchgate_client.cli.connection import Connection
from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings
from batchgate_server.settings.variables import CLIENT_VARIABLES

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]

FILE = """
listen = "127.0.0.1:1"
[log]
format = "json"
level = "error"
[providers.azure-eu]
kind = "azure_openai"
endpoint = "https://a"
api_key = { env = "NOT_SET" }
"""


def test_variables_win_over_the_file_and_overrides_over_both(load: Load) -> None:
    environment = {
        "BATCHGATE_LISTEN": "127.0.0.1:2",
        "BATCHGATE_LOG__LEVEL": "debug",
        "BATCHGATE_SERVER__REFLECTION": "false",
        "BATCHGATE_SERVER__SHUTDOWN_GRACE_SECONDS": "1.5",
        "BATCHGATE_SERVER__MAX_MESSAGE_BYTES": "2048",
        "BATCHGATE_PROVIDERS__AZURE_EU__API_VERSION": "2024-10-21",
        "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "literal",
    }
    settings = load(FILE, environment, {"listen": "127.0.0.1:3", "log": {"format": None}})
    assert settings.listen == "127.0.0.1:3"
    assert (settings.log.format, settings.log.level) == ("json", "debug")
    assert not settings.server.reflection
    assert settings.server.shutdown_grace_seconds == 1.5
    assert settings.server.max_message_bytes == 2048
    profile = settings.providers["azure-eu"]
    assert isinstance(profile, AzureOpenAIProfile)
    assert profile.api_version == "2024-10-21"
    assert profile.api_key is not None
    assert profile.api_key.get_secret_value() == "literal"


@pytest.mark.parametrize("part", ["AZURE_EU", "azure_eu", "Azure-EU", "azure-eu"])
def test_the_profile_is_found_by_any_spelling(load: Load, part: str) -> None:
    settings = load(FILE, {f"BATCHGATE_PROVIDERS__{part}__API_KEY": "k"})
    assert list(settings.providers) == ["azure-eu"]


def test_the_exact_spelling_wins(load: Load) -> None:
    toml = FILE + '[providers.azure_eu]\nkind = "openai"\n'
    environment = {
        "BATCHGATE_PROVIDERS__azure-eu__API_KEY": "one",
        "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "two",
    }
    one, two = load(toml, environment).providers.values()
    assert one.api_key is not None
    assert two.api_key is not None
    assert one.api_key.get_secret_value() == "one"
    assert two.api_key.get_secret_value() == "two"


def test_an_ambiguous_spelling_is_refused(problems: Problems) -> None:
    toml = '[providers.a-b_c]\nkind = "openai"\napi_key.env = "K"\n[providers.a_b-c]\nkind = "openai"\napi_key.env = "K"\n'
    assert problems(toml, {"K": "k", "BATCHGATE_PROVIDERS__A_B_C__PROJECT": "p"}) == {
        "BATCHGATE_PROVIDERS__A_B_C__PROJECT": "may mean any of the profiles a-b_c, a_b-c; "
        "rename one of them"
    }


def test_a_new_name_makes_a_new_profile_in_lower_case(load: Load) -> None:
    settings = load(
        FILE,
        {
            "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "k",
            "BATCHGATE_PROVIDERS__MINE__KIND": "openai",
            "BATCHGATE_PROVIDERS__Mine__API_KEY__ENV": "KEY",
            "BATCHGATE_PROVIDERS__A__B__KIND": "openai",
            "BATCHGATE_PROVIDERS__A__B__API_KEY": "k",
            "KEY": "sk-1",
        },
    )
    assert list(settings.providers) == ["azure-eu", "a__b", "mine"]
    mine = settings.providers["mine"]
    assert isinstance(mine, OpenAIProfile)
    assert mine.api_key is not None
    assert mine.api_key.get_secret_value() == "sk-1"


def test_empty_variables_count_as_unset(load: Load) -> None:
    environment = {
        "BATCHGATE_LISTEN": "",
        "BATCHGATE_CONFIG": "",
        "OPENAI_API_KEY": "k",
        "OPENAI_PROJECT": "",
    }
    assert load(None, environment).listen == "127.0.0.1:50051"


def test_service_links_of_kubernetes_are_no_settings(load: Load) -> None:
    links = {
        "BATCHGATE_PORT": "tcp://10.0.0.1:50051",
        "BATCHGATE_PORT_50051_TCP": "tcp://10.0.0.1:50051",
        "BATCHGATE_PORT_50051_TCP_ADDR": "10.0.0.1",
        "BATCHGATE_SERVICE_HOST": "10.0.0.1",
        "BATCHGATE_SERVICE_PORT_GRPC": "50051",
        "BATCHGATE_SANDBOX_SERVICE_PORT": "8085",
        "BATCHGATE_SANDBOX_PORT": "tcp://10.0.0.1:8085",
    }
    assert load(None, {**links, "OPENAI_API_KEY": "k"}).providers


def test_what_clients_read_is_no_setting(load: Load) -> None:
    """Who calls a gateway may run another one in the same shell."""
    own = dict.fromkeys(CLIENT_VARIABLES, "x")
    assert load(None, {**own, "OPENAI_API_KEY": "k"}).providers


def test_clients_read_nothing_else() -> None:
    read = {f"BATCHGATE_{one.name.upper()}" for one in fields(Connection)}
    assert read - {"BATCHGATE_JSON"} == CLIENT_VARIABLES


def test_unknown_and_malformed_variables(problems: Problems) -> None:
    nothing = "sets nothing; a name has the form BATCHGATE_PROVIDERS__NAME__SETTING"
    assert problems(
        FILE,
        {
            "BATCHGATE_PORT": "50051",
            "BATCHGATE_LSTEN": "x",
            "BATCHGATE_LOG__FROMAT": "json",
            "BATCHGATE_LOG": "json",
            "BATCHGATE_SERVER": "x",
            "BATCHGATE_LISTEN__HOST": "x",
            "BATCHGATE_PROVIDERS": "{}",
            "BATCHGATE_PROVIDERS__X": "{}",
            "BATCHGATE_PROVIDERS____KIND": "{}",
            "BATCHGATE_PROVIDERS__AZURE_EU__API_VERSON": "v1",
            "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "k",
            "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY__FILE": "/k",
            "BATCHGATE_PROVIDERS__azure-eu__API_KEY": "k",
            "BATCHGATE_PROVIDERS__NEW__API_VERSION": "v1",
            "BATCHGATE_PROVIDERS__NEW-EU__API_KEY": "a b",
        },
    ) == {
        "BATCHGATE_PROVIDERS": nothing,
        "BATCHGATE_PROVIDERS__X": nothing,
        "BATCHGATE_PROVIDERS____KIND": nothing,
        "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY__FILE": "sets the same as "
        "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY; keep one",
        "BATCHGATE_PROVIDERS__azure-eu__API_KEY": "sets the same as "
        "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY__FILE; keep one",
        "BATCHGATE_PORT": "no such setting",
        "BATCHGATE_LSTEN": "no such setting; did you mean BATCHGATE_LISTEN?",
        "BATCHGATE_LOG": "is a group of settings; set one of them, as BATCHGATE_LOG__FORMAT",
        "BATCHGATE_LOG__FROMAT": "log holds a value, not further settings",
        "BATCHGATE_SERVER": "is a group of settings; set one of them, as BATCHGATE_SERVER__WORKERS",
        "BATCHGATE_LISTEN__HOST": "listen holds a value, not further settings",
        "BATCHGATE_PROVIDERS__AZURE_EU__API_VERSON": "no such setting; did you mean "
        "BATCHGATE_PROVIDERS__AZURE_EU__API_VERSION?",
        "BATCHGATE_PROVIDERS__NEW": "needs exactly one of api_key, entra_token, entra and caller_credentials",
        "BATCHGATE_PROVIDERS__NEW__KIND": 'is required: "openai" or "azure_openai"',
        "BATCHGATE_PROVIDERS__NEW__ENDPOINT": "is required",
        "BATCHGATE_PROVIDERS__NEW_EU__KIND": 'is required: "openai" or "azure_openai"',
        "BATCHGATE_PROVIDERS__NEW-EU__API_KEY": "the secret must be visible ASCII without "
        'spaces, line breaks or control characters (only the key itself, without "Bearer ")',
    }


def test_a_misspelt_variable_of_a_group(problems: Problems) -> None:
    assert problems(
        FILE, {"BATCHGATE_LOG__FROMAT": "x", "BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "k"}
    ) == {"BATCHGATE_LOG__FROMAT": "no such setting; did you mean BATCHGATE_LOG__FORMAT?"}


def test_a_variable_inside_what_is_no_table(problems: Problems) -> None:
    environment = {"OPENAI_API_KEY": "k", "BATCHGATE_LOG__LEVEL": "debug"}
    assert problems("log = 3", environment) == {
        "BATCHGATE_LOG__LEVEL": "log holds a value, not further settings",
        "log": "must be a table",
    }
    environment = {"OPENAI_API_KEY": "k", "BATCHGATE_LISTEN__HOST": "127.0.0.1"}
    assert problems(None, environment) == {"BATCHGATE_LISTEN": "must be a string"}


def test_an_empty_table_takes_nothing_away(load: Load) -> None:
    environment = {"BATCHGATE_PROVIDERS__AZURE_EU__API_KEY": "k"}
    assert load(FILE, environment, {"log": {}}).log.format == "json"
