"""Where secrets may stand, what they must look like, and that none is ever shown."""

import json
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from batchgate_server.settings import ConfigurationError, OpenAIProfile, Settings, load_settings

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]

SECRET = "sk-very-secret-0123456789"
OPENAI = '[providers.openai]\nkind = "openai"\n'
UNSENDABLE = (
    "the secret must be visible ASCII without spaces, line breaks or control characters "
    '(only the key itself, without "Bearer ")'
)


def test_from_a_file(load: Load, tmp_path: Path) -> None:
    """A relative path starts where the configuration is; a trailing line break is no part of it."""
    (tmp_path / "key").write_text(SECRET + "\r\n")
    for path in ("key", str(tmp_path / "key")):
        profile = load(f'{OPENAI}api_key = {{ file = "{path}" }}').providers["openai"]
        assert profile.api_key is not None
        assert profile.api_key.get_secret_value() == SECRET


def test_from_a_file_named_by_a_variable(load: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    environment = {"BATCHGATE_PROVIDERS__OPENAI__API_KEY__FILE": str(tmp_path / "key")}
    profile = load(OPENAI + 'api_key = { env = "OTHER" }', environment).providers["openai"]
    assert profile.api_key is not None
    assert profile.api_key.get_secret_value() == SECRET


def test_from_an_override(load: Load) -> None:
    overrides = {"providers": {"x": {"kind": "openai", "api_key": SECRET}}}
    profile = load(None, {}, overrides).providers["x"]
    assert profile.api_key is not None
    assert profile.api_key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "value",
    [
        f'"{SECRET}"',
        '""',
        "3",
        "{}",
        '{ env = "" }',
        "{ env = 3 }",
        '{ file = "" }',
        '{ file = "a\\u0000" }',
        '{ env = "A", file = "b" }',
        f'{{ value = "{SECRET}" }}',
        f'["{SECRET}"]',
    ],
)
def test_only_references_in_the_file(problems: Problems, value: str) -> None:
    (message,) = problems(f"{OPENAI}api_key = {value}").values()
    assert message.startswith('must be a reference: { env = "NAME" } or { file = "path" }')
    assert SECRET not in message
    assert ("must not stand in the file" in message) == value.startswith('"')


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"a\nb\n", UNSENDABLE),
        (b"a\0b", UNSENDABLE),
        (b"k\xc3\xa9y", UNSENDABLE),
        (b" key", UNSENDABLE),
        (b"x" * 65_537, "is larger than 65536 bytes"),
    ],
)
def test_unusable_files(
    problems: Problems, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    (told,) = problems(f'{OPENAI}api_key = {{ file = "key" }}').items()
    assert told[0] == "providers.openai.api_key"
    assert told[1].startswith(f"the file {path}")
    assert told[1].endswith(message)


def test_a_directory_is_no_secret(problems: Problems, tmp_path: Path) -> None:
    assert problems(f'{OPENAI}api_key = {{ file = "." }}') == {
        "providers.openai.api_key": f"the file {tmp_path} cannot be read: Is a directory"
    }


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "the environment variable KEY is not set"),
        ({"KEY": ""}, "the environment variable KEY is empty"),
        ({"KEY": "Bearer x"}, f"the environment variable KEY: {UNSENDABLE}"),
    ],
)
def test_unusable_variables(problems: Problems, environment: dict[str, str], message: str) -> None:
    toml = f'{OPENAI}api_key = {{ env = "KEY" }}'
    assert problems(toml, environment) == {"providers.openai.api_key": message}


def test_settings_never_show_a_secret(load: Load) -> None:
    settings = load(
        OPENAI + 'api_key = { env = "K" }',
        {
            "K": SECRET,
            "BATCHGATE_PROVIDERS__A__KIND": "azure_openai",
            "BATCHGATE_PROVIDERS__A__ENDPOINT": "https://a",
            "BATCHGATE_PROVIDERS__A__ENTRA_TOKEN": SECRET,
        },
    )
    shown = [repr(settings), str(settings), repr(settings.model_dump()), settings.model_dump_json()]
    shown += [repr(profile) for profile in settings.providers.values()]
    shown.append(json.dumps(settings.model_dump(mode="json")))
    assert not any(SECRET in text for text in shown)


def test_a_profile_made_by_hand_is_checked_and_says_no_secret() -> None:
    assert OpenAIProfile(name="x", api_key=SecretStr(SECRET)).kind == "openai"
    with pytest.raises(ValidationError) as caught:
        OpenAIProfile(name="x", api_key=SecretStr(SECRET + "\n"))
    assert SECRET not in str(caught.value)
    with pytest.raises(ValidationError, match="the secret is empty"):
        OpenAIProfile(name="x", api_key=SecretStr(""))


PLACES = [
    "listen",
    "default_provider",
    "secret",
    "log",
    "log.format",
    "log.level",
    "log.secret",
    "server.max_message_bytes",
    "server.reflection",
    "server.shutdown_grace_seconds",
    "providers",
    "providers.x",
    "providers.x.kind",
    "providers.x.api_key",
    "providers.x.api_version",
    "providers.x.base_url",
    "providers.x.endpoint",
    "providers.x.entra_token",
    "providers.x.max_connections",
    "providers.x.organization",
    "providers.x.timeout_seconds",
    "providers.x.secret",
]


@given(
    places=st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True),
    kind=st.sampled_from(["openai", "azure_openai", None]),
    before=st.sampled_from(["", "https://u:", "unix:", "\n", "{", "https://h/?"]),
    after=st.sampled_from(["", "@h", "\n", " ", "é", "}"]),
    by_variable=st.booleans(),
)
def test_no_error_repeats_a_value(
    places: list[str], kind: str | None, before: str, after: str, *, by_variable: bool
) -> None:
    """A secret in a wrong place, even under a misspelt key, is not printed: not even its trace."""
    value = before + SECRET + after
    environment, overrides = {}, dict[str, object]()
    if kind:
        environment["BATCHGATE_PROVIDERS__X__KIND"] = kind
    for place in places:
        if by_variable:
            environment["BATCHGATE_" + place.replace(".", "__").upper()] = value
        else:
            table = overrides
            *above, last = place.split(".")
            for key in above:
                inner = table.setdefault(key, {})
                table = inner if isinstance(inner, dict) else {}
            table[last] = value
    try:
        settings = load_settings(environment=environment, overrides=overrides)
    except ConfigurationError as exc:
        shown = "".join(traceback.format_exception(exc)) + repr(exc) + repr(exc.problems)
    else:
        # An organization's name is no secret, whatever is written there.
        profiles = settings.providers.values()
        shown = repr([profile.model_dump(exclude={"organization"}) for profile in profiles])
    assert SECRET not in shown


def test_the_error_survives_pickling() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environment={})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own
