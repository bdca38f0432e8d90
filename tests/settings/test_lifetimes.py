"""How long files live where a request does not say: what may be set, and what is made of it."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr, ValidationError

from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]

HOUR, DAY = 3600, 86400
OPENAI = '[providers.a]\nkind = "openai"\napi_key = { env = "KEY" }\n'
AZURE = '[providers.a]\nkind = "azure_openai"\nendpoint = "https://a"\napi_key = { env = "KEY" }\n'
FIELDS = ("input_expires_after", "output_expires_after")


def lifetime(settings: Settings, field: str) -> int | None:
    value: int | None = getattr(settings.providers["a"], field)
    return value


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("profile", [OPENAI, AZURE])
def test_unset_means_none(load: Load, profile: str, field: str) -> None:
    assert lifetime(load(profile, {"KEY": "k"}), field) is None


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("profile", "value", "seconds"),
    [
        (OPENAI, "3600", HOUR),
        (OPENAI, '"1h"', HOUR),
        (OPENAI, '"90m"', 5400),
        (OPENAI, '"7200s"', 7200),
        (OPENAI, '" 36h "', 36 * HOUR),
        (OPENAI, '"30d"', 30 * DAY),
        (AZURE, '"14d"', 14 * DAY),
        (AZURE, "2592000", 30 * DAY),
        (AZURE + 'api_version = "2025-04-01-preview"\n', '"20d"', 20 * DAY),
    ],
)
def test_seconds_and_texts(load: Load, profile: str, field: str, value: str, seconds: int) -> None:
    settings = load(f"{profile}{field} = {value}\n", {"KEY": "k"})
    assert lifetime(settings, field) == seconds


def test_a_variable(load: Load) -> None:
    variables = {"KEY": "k", "BATCHGATE_PROVIDERS__A__INPUT_EXPIRES_AFTER": "14d"}
    assert lifetime(load(AZURE, variables), "input_expires_after") == 14 * DAY


WORDING = 'must be whole seconds, or a text such as "14d", "36h" or "90m"'


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("profile", "value", "message"),
    [
        *(
            (OPENAI, value, WORDING)
            for value in ('""', '"two days"', '"1w"', '"-1h"', '"1.5h"', "3600.5", "true", "[1]")
        ),
        *(
            (OPENAI, value, "must be 1 hour to 30 days: the provider takes nothing else")
            for value in ("0", "-3600", "3599", '"31d"', '"999999999d"')
        ),
        *(
            (AZURE, value, "must be 14 to 30 days: the provider takes nothing else")
            for value in ('"1h"', '"13d"', "1209599", '"31d"')
        ),
        (
            AZURE + 'api_version = "2024-10-21"\n',
            '"14d"',
            (
                "is not possible with api_version 2024-10-21, which lets no file expire; leave it "
                'out, or take "v1"'
            ),
        ),
    ],
)
def test_what_cannot_be_is_told_at_the_start(
    problems: Problems, profile: str, field: str, value: str, message: str
) -> None:
    found = problems(f"{profile}{field} = {value}\n", {"KEY": "k"})
    assert found == {f"providers.a.{field}": message}


def test_all_mistakes_are_told_at_once(problems: Problems) -> None:
    text = (
        AZURE.replace('api_key = { env = "KEY" }\n', "")
        + 'api_version = "2024"\ninput_expires_after = "1h"\noutput_expires_after = "x"\n'
    )
    assert set(problems(text)) == {
        "providers.a",
        "providers.a.api_version",
        "providers.a.input_expires_after",
        "providers.a.output_expires_after",
    }


def test_profiles_made_in_python_are_checked_too() -> None:
    key = SecretStr("k")
    profile = OpenAIProfile(name="a", api_key=key, input_expires_after=HOUR)
    assert profile.input_expires_after == HOUR
    with pytest.raises(ValidationError, match="14 to 30 days"):
        AzureOpenAIProfile(name="a", endpoint="https://a", api_key=key, input_expires_after=HOUR)
