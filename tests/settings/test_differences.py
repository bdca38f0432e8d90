"""What differs between two configurations, and what of it counts at once."""

from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from batchgate_server.settings import (
    Change,
    ConfigurationError,
    Settings,
    applied,
    differences,
    load_settings,
)
from batchgate_server.settings.differences import NEEDS_RESTART
from batchgate_server.settings.reference import reference

OPENAI = {"kind": "openai", "api_key": "sk-first"}
AZURE = {"kind": "azure_openai", "endpoint": "https://a.test", "api_key": "key-of-azure"}
# What a reload brings into force; see the tests of reloads for each.
AT_ONCE = ("default_provider", "providers", "callers", "limits", "log", "watch", "audit")
AT_ONCE_TOO = {
    "server.shutdown_grace_seconds",
    "server.drain_delay_seconds",
    "server.overload_seconds",
    "server.default_deadline_seconds",
    "server.default_creation_deadline_seconds",
    "server.stream_idle_seconds",
    "server.health_check_seconds",
    # What they allow is looked at when the settings are checked, at a reload too.
    "server.allow_anonymous",
    "server.insecure",
}
DIGEST, OTHER_DIGEST = "ab" * 32, "cd" * 32


def settings(**more: Any) -> Settings:
    return load_settings(environment={}, overrides={"providers": {"one": OPENAI}, **more})


def texts(old: Settings, new: Settings) -> list[str]:
    return [str(change) for change in differences(old, new)]


def test_every_setting_counts_at_once_or_needs_a_restart() -> None:
    """A new setting is to be brought into force, or named as one that needs a restart."""
    for row in reference():
        at_once = row.name.partition(".")[0] in AT_ONCE or row.name in AT_ONCE_TOO
        late = any(f"{row.name}.".startswith(f"{one}.") for one in NEEDS_RESTART)
        assert at_once != late, row.name


def test_nothing_differs_from_itself() -> None:
    full = {"providers": {"one": OPENAI, "two": AZURE}, "default_provider": "one"}
    assert differences(settings(**full), settings(**full)) == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ({}, {"watch": {"first_poll_seconds": 1.5}}, "watch.first_poll_seconds: 5.0 → 1.5"),
        ({}, {"default_provider": "one"}, 'default_provider: null → "one"'),
        ({}, {"providers": {"one": OPENAI, "two": AZURE}}, "providers.two: added"),
        ({"providers": {"one": OPENAI, "two": AZURE}}, {}, "providers.two: removed"),
        (
            {},
            {"providers": {"one": {**OPENAI, "api_key": "sk-second"}}},
            "providers.one.api_key: changed",
        ),
        (
            {},
            {"providers": {"one": {**OPENAI, "models": {"a": "b"}}}},
            'providers.one.models.a: added, "b"',
        ),
        (
            {"callers": {"a": {"token_sha256": [DIGEST]}}},
            {"callers": {"a": {"token_sha256": [DIGEST, OTHER_DIGEST]}}},
            "callers.a.token_sha256: changed",
        ),
        (
            {"callers": {"a": {"token_sha256": [DIGEST], "models": ["y", "x"]}}},
            {"callers": {"a": {"token_sha256": [DIGEST], "models": ["z"]}}},
            'callers.a.models: ["x","y"] → ["z"]',
        ),
        ({"callers": {"a": {"token_sha256": [DIGEST]}}}, {}, "callers.a: removed"),
        (
            {"providers": {"one": {**OPENAI, "models": {"a": "b"}}}},
            {},
            'providers.one.models.a: removed, was "b"',
        ),
        ({}, {"listen": "127.0.0.1:1"}, 'listen: "127.0.0.1:50051" → "127.0.0.1:1"'),
    ],
)
def test_a_difference(old: dict[str, Any], new: dict[str, Any], told: str) -> None:
    (text,) = texts(settings(**old), settings(**new))
    assert text == told


def test_a_profile_of_another_kind_tells_no_secret() -> None:
    changes = differences(settings(), settings(providers={"one": {**AZURE, "url_prefix": "/v1"}}))
    said = repr(changes) + " ".join(map(str, changes))
    assert 'providers.one.kind: "openai" → "azure_openai"' in said
    assert "providers.one.api_key: changed" in said
    for secret in ("sk-first", "key-of-azure"):
        assert secret not in said


def test_the_restart_is_told_of() -> None:
    new = settings(
        listen="127.0.0.1:1",
        server={"max_message_bytes": 5000, "reflection": False, "shutdown_grace_seconds": 1},
    )
    late = {one.setting: one.needs_restart for one in differences(settings(), new)}
    assert late == {
        "listen": True,
        "server.max_message_bytes": True,
        "server.reflection": True,
        "server.shutdown_grace_seconds": False,
    }
    both = applied(settings(), new)
    assert both.listen == "127.0.0.1:50051"
    assert (both.server.max_message_bytes, both.server.reflection) == (4194304, True)
    assert both.server.shutdown_grace_seconds == 1
    # It goes on being told until the restart.
    assert {one.setting for one in differences(both, new)} == {
        name for name, needs in late.items() if needs
    }


def test_what_would_open_the_old_address_is_refused() -> None:
    """The new one is local, so that it needs no callers; but the old one is in use."""
    old = settings(
        listen="0.0.0.0:1",
        server={"insecure": True},
        callers={"a": {"token_sha256": [DIGEST]}},
    )
    new = settings(listen="127.0.0.1:1")
    with pytest.raises(ConfigurationError) as caught:
        applied(old, new)
    assert str(caught.value).startswith("listen: is reachable from other machines")
    assert "no callers are configured" in str(caught.value)
    assert "until a restart" in str(caught.value)


class Nested(BaseModel):
    hashes: tuple[str, ...] = Field(default=(), repr=False)
    secrets: tuple[SecretStr, ...] = ()
    text: str = ""


@pytest.mark.parametrize(
    ("field", "old", "new"),
    [
        ("hashes", ("hash-old",), ("hash-new",)),
        ("secrets", (SecretStr("hash-old"),), (SecretStr("hash-new"),)),
    ],
)
def test_values_that_are_never_shown(field: str, old: object, new: object) -> None:
    from batchgate_server.settings.differences import _differences  # noqa: PLC0415

    (change,) = _differences(Nested(**{field: old}), Nested(**{field: new}), ("x",))  # type: ignore[arg-type]
    assert change == Change(f"x.{field}", "changed")


def test_a_long_value_is_cut_off() -> None:
    models = {"a" * 10: "b" * 1000}
    (change,) = differences(
        settings(providers={"one": {**OPENAI, "models": {"a" * 10: "c"}}}),
        settings(providers={"one": {**OPENAI, "models": models}}),
    )
    assert change.old == "c"
    assert len(str(change.new)) < 210
