"""Settings made in Python, and the list of all settings."""

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from batchgate_server.settings import (
    AdminSettings,
    AuditSettings,
    AzureOpenAIProfile,
    CallerSettings,
    EntraSettings,
    LogSettings,
    OpenAIProfile,
    OverallLimits,
    ServerSettings,
    Settings,
    TLSSettings,
    WatchSettings,
)
from batchgate_server.settings.reference import Row, reference

PROFILE = OpenAIProfile(name="a", api_key=SecretStr("k"))


def test_the_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("BATCHGATE_LISTEN", "127.0.0.1:1")
    assert Settings(providers={"a": PROFILE}).listen == "127.0.0.1:50051"


@pytest.mark.parametrize(
    "model",
    [Settings(providers={"a": PROFILE}), PROFILE, LogSettings(), ServerSettings(), WatchSettings()],
)
def test_settings_are_frozen_and_closed(model: BaseModel) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model, next(iter(type(model).model_fields)), "x")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        type(model).model_validate({"unknown": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"providers": {}}, "at least 1 item"),
        ({"providers": {"b": PROFILE}}, "a name must be the table's key"),
        ({"providers": {"a": PROFILE}, "default_provider": "b"}, "must name a profile: a"),
        (
            {"providers": {"a": PROFILE}, "watch": {"slowest_poll_seconds": 4}},
            r"watch\.slowest_poll_seconds\n  Value error, must be at least first_poll_seconds",
        ),
        (
            {"providers": {"a": PROFILE}, "watch": {"first_poll_seconds": 90}},
            r"watch\.slowest_poll_seconds\n  Value error, must be at least first_poll_seconds",
        ),
    ],
)
def test_settings_are_consistent(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(values)


def test_a_profile_takes_its_name_from_its_key() -> None:
    values = {"providers": {"a": {"kind": "openai", "api_key": "k"}}}
    assert Settings.model_validate(values).providers["a"] == PROFILE


@pytest.mark.parametrize(
    "credentials", [{}, {"api_key": SecretStr("k"), "entra_token": SecretStr("t")}]
)
def test_azure_has_one_credential(credentials: dict[str, SecretStr]) -> None:
    with pytest.raises(
        ValidationError,
        match="needs exactly one of api_key, entra_token, entra and caller_credentials",
    ):
        AzureOpenAIProfile.model_validate({"name": "a", "endpoint": "https://a", **credentials})


def test_the_reference_has_every_setting_once() -> None:
    rows = {row.name: row for row in reference()}
    assert len(rows) == len(reference())
    fields = {"listen", "default_provider"}
    fields |= {f"log.{key}" for key in LogSettings.model_fields}
    fields |= {f"server.{key}" for key in ServerSettings.model_fields}
    fields |= {f"tls.{key}" for key in TLSSettings.model_fields}
    fields |= {f"limits.{key}" for key in OverallLimits.model_fields}
    fields |= {f"callers.NAME.{key}" for key in CallerSettings.model_fields if key != "name"}
    fields |= {f"watch.{key}" for key in WatchSettings.model_fields}
    fields |= {f"audit.{key}" for key in AuditSettings.model_fields}
    fields |= {f"admin.{key}" for key in AdminSettings.model_fields}
    profile = OpenAIProfile.model_fields.keys() | AzureOpenAIProfile.model_fields.keys()
    fields |= {f"providers.NAME.{key}" for key in profile - {"name", "entra"}}
    fields |= {f"providers.NAME.entra.{key}" for key in EntraSettings.model_fields}
    assert rows.keys() == fields
    assert all(row.meaning.endswith(".") for row in rows.values())


@pytest.mark.parametrize(
    ("name", "variable", "default"),
    [
        ("listen", "BATCHGATE_LISTEN", '"127.0.0.1:50051"'),
        ("default_provider", "BATCHGATE_DEFAULT_PROVIDER", ""),
        ("log.format", "BATCHGATE_LOG__FORMAT", '"console"'),
        ("server.max_message_bytes", "BATCHGATE_SERVER__MAX_MESSAGE_BYTES", "4194304"),
        ("server.reflection", "BATCHGATE_SERVER__REFLECTION", "true"),
        ("providers.NAME.kind", "BATCHGATE_PROVIDERS__NAME__KIND", "required"),
        ("providers.NAME.api_version", "BATCHGATE_PROVIDERS__NAME__API_VERSION", '"v1"'),
    ],
)
def test_rows_of_the_reference(name: str, variable: str, default: str) -> None:
    (row,) = [row for row in reference() if row.name == name]
    assert row == Row(name, variable, default, row.meaning)
