"""What profiles say of the way to their provider and of their credential: every mistake is told."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from batchgate_server.settings import AzureOpenAIProfile, OpenAIProfile, Settings
from batchgate_server.settings.credentials import FileSecret
from tests.certificates import Authority

Load = Callable[..., Settings]
Problems = Callable[..., dict[str, str]]
OPENAI = '[providers.p]\nkind = "openai"\napi_key = { env = "KEY" }\n'
AZURE = '[providers.p]\nkind = "azure_openai"\nendpoint = "https://name.openai.azure.com"\n'
KEY = {"KEY": "sk-1"}
NOT_BOTH = "has both api_key and caller_credentials; leave out one of them"
ONE = "needs exactly one of api_key, entra_token, entra and caller_credentials"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize(
    ("models", "fault"),
    [
        (
            '{ "prod" = "dep-a", "dep-a" = "dep-b" }',
            "'prod' becomes 'dep-a', which becomes 'dep-b'",
        ),
        ('{ "a" = "b", "b" = "a" }', "'a' becomes 'b', which becomes 'a'"),
    ],
)
def test_no_model_is_replaced_twice(problems: Problems, models: str, fault: str) -> None:
    assert fault in problems(f"{OPENAI}models = {models}\n", KEY)["providers.p.models"]


def test_a_model_may_become_itself_or_what_another_one_does(load: Load) -> None:
    models = {"prod": "dep-a", "dep-a": "dep-a", "other": "dep-a"}
    written = ", ".join(f'"{name}" = "{sent}"' for name, sent in models.items())
    assert load(f"{OPENAI}models = {{ {written} }}\n", KEY).providers["p"].models == models


def test_relative_paths_begin_where_the_configuration_is(
    load: Load, authority: Authority, tmp_path: Path
) -> None:
    authority.issue("gateway")
    profile = load(
        f'{OPENAI}ca_file = "ca.pem"\nclient_certificate_file = "gateway.pem"\n'
        'client_key_file = "gateway.key"\n',
        KEY,
    ).providers["p"]
    assert profile.ca_file == tmp_path / "ca.pem"
    assert profile.client_certificate_file == tmp_path / "gateway.pem"
    assert profile.client_key_file == tmp_path / "gateway.key"


def test_all_mistakes_with_files_at_once(
    problems: Problems, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").touch()
    (tmp_path / "text.pem").write_text("secret of nobody")
    one, other = authority.issue("one"), authority.issue("other")
    encrypted = load_pem_private_key(other.key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pa55")
    )
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    text = "".join(
        f'[providers.{name}]\nkind = "openai"\napi_key = {{ env = "KEY" }}\n'
        + "".join(f'{key} = "{value}"\n' for key, value in settings.items())
        for name, settings in {
            "a": {"ca_file": "gone.pem"},
            "b": {"ca_file": "empty.pem"},
            "c": {"ca_file": "text.pem", "client_key_file": "one.key"},
            "d": {"client_certificate_file": "one.pem", "client_key_file": "other.key"},
            "e": {"client_certificate_file": "one.pem"},
            "f": {"client_certificate_file": "one.pem", "client_key_file": "encrypted.key"},
            "g": {"client_certificate_file": "one.pem", "client_key_file": "text.pem"},
            "h": {"client_certificate_file": "gone.pem"},
            "i": {"ca_file": ""},
        }.items()
    )
    found = {
        place: message.replace(f"{tmp_path}/", "") for place, message in problems(text, KEY).items()
    }
    assert found == {
        "providers.a.ca_file": "the file gone.pem cannot be read: No such file or directory",
        "providers.b.ca_file": "the file empty.pem holds no readable PEM certificate",
        "providers.c.ca_file": "the file text.pem holds no readable PEM certificate",
        "providers.c.client_key_file": "needs client_certificate_file beside it",
        "providers.d.client_key_file": "the key in other.key is not that of one.pem",
        "providers.e.client_key_file": "no certificate with its key, in PEM form, is in one.pem",
        "providers.f.client_key_file": "the key in encrypted.key is encrypted; it must not be",
        "providers.g.client_key_file": (
            "no certificate with its key, in PEM form, is in one.pem and text.pem"
        ),
        "providers.h.client_key_file": "the file gone.pem cannot be read: No such file or directory",
        "providers.i.ca_file": "must be the path of a file",
    }
    assert one.serial != other.serial


# --------------------------------------------------------------------------- proxies


@pytest.mark.parametrize(
    ("written", "environment"),
    [
        ('"http://proxy.example:3128"', {}),
        ('{ env = "P" }', {"P": "http://proxy.example:3128"}),
        ('{ env = "P" }', {"P": "http://user:p%40ss@proxy.example:3128"}),
    ],
)
def test_a_proxy(load: Load, written: str, environment: dict[str, str]) -> None:
    settings = load(f"{OPENAI}proxy_url = {written}\n", {**KEY, **environment})
    url = settings.providers["p"].proxy_url
    assert url is not None
    assert url.get_secret_value() == environment.get("P", "http://proxy.example:3128")
    assert "proxy.example" not in repr(settings)


def test_a_proxy_by_variables(load: Load) -> None:
    variable = "BATCHGATE_PROVIDERS__P__PROXY_URL"
    for environment in (
        {variable: "http://u:p@proxy:1"},
        {f"{variable}__ENV": "HTTPS_PROXY", "HTTPS_PROXY": "http://u:p@proxy:1"},
    ):
        url = load(OPENAI, {**KEY, **environment}).providers["p"].proxy_url
        assert url is not None
        assert url.get_secret_value() == "http://u:p@proxy:1"


@pytest.mark.parametrize(
    "url",
    [
        "https://secret:3128",
        "socks5://secret:1",
        "secret:3128",
        "http://secret:3128/path",
        "http://secret:99999",
        "http://",
        "http://u:se/cret@proxy:1",
        "http://u:secret@x@proxy:1",
        "http://u:secret@proxy:1?q",
        "http://u:secret@",
        "http://u:sécret@proxy:1",
    ],
)
def test_a_proxy_that_is_none(problems: Problems, url: str) -> None:
    (place,), (message,) = zip(
        *problems(f'{OPENAI}proxy_url = {{ env = "P" }}\n', {**KEY, "P": url}).items(), strict=True
    )
    assert place == "providers.p.proxy_url"
    assert message.startswith(("must ", "the environment variable P: the secret must be visible"))
    assert "cret" not in message.replace("the secret must", "")


def test_a_proxy_s_password_must_not_stand_in_the_file(problems: Problems) -> None:
    found = problems(f'{OPENAI}proxy_url = "http://user:pa55@proxy:3128"\n', KEY)
    (message,) = found.values()
    assert message.startswith('must be a reference: { env = "NAME" } or { file = "path" }')
    assert "pa55" not in message


# --------------------------------------------------------------------------- credentials


def test_a_secret_in_a_file_knows_its_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1\n")
    text = '[providers.p]\nkind = "openai"\napi_key = { file = "key" }\n'
    key = load(text).providers["p"].api_key
    assert isinstance(key, FileSecret)
    assert (key.path, key.get_secret_value()) == (tmp_path / "key", "sk-1")
    assert key == load(text).providers["p"].api_key
    (tmp_path / "other").write_text("sk-1\n")
    assert key != load(text.replace('"key"', '"other"')).providers["p"].api_key


def test_callers_keys_need_no_other(load: Load, problems: Problems) -> None:
    without = OPENAI.replace('api_key = { env = "KEY" }\n', "")
    openai = load(f"{without}caller_credentials = true\n").providers["p"]
    assert isinstance(openai, OpenAIProfile)
    assert openai.api_key is None
    assert load(f"{AZURE}caller_credentials = true\n").providers["p"].caller_credentials
    assert problems(f"{OPENAI}caller_credentials = true\n", KEY) == {"providers.p": NOT_BOTH}
    both = f'{AZURE}caller_credentials = true\napi_key = {{ env = "KEY" }}\n'
    assert problems(both, KEY) == {"providers.p": ONE}
    assert list(problems(without)) == ["providers.p.api_key"]


ENTRA = "[providers.p.entra]\n"
APPLICATION = (
    'method = "client_secret"\ntenant_id = "t"\nclient_id = "c"\nclient_secret = { env = "KEY" }\n'
)


def test_entra_with_a_secret(load: Load) -> None:
    profile = load(AZURE + ENTRA + APPLICATION, KEY).providers["p"]
    assert isinstance(profile, AzureOpenAIProfile)
    entra = profile.entra
    assert entra is not None
    assert entra.client_secret is not None
    assert entra.client_secret.get_secret_value() == "sk-1"
    assert entra.authority == "https://login.microsoftonline.com"
    assert entra.scope == "https://cognitiveservices.azure.com/.default"
    assert "sk-1" not in repr(profile)


def test_entra_by_variables_alone(load: Load) -> None:
    start = "BATCHGATE_PROVIDERS__NEW__"
    environment = {
        f"{start}KIND": "azure_openai",
        f"{start}ENDPOINT": "https://name.openai.azure.com",
        f"{start}ENTRA__METHOD": "client_secret",
        f"{start}ENTRA__TENANT_ID": "t",
        f"{start}ENTRA__CLIENT_ID": "c",
        f"{start}ENTRA__CLIENT_SECRET__ENV": "S",
        "S": "secret-1",
    }
    for change in ({}, {f"{start}ENTRA__CLIENT_SECRET": "secret-1"}):
        given = {**environment, **change}
        if change:
            del given[f"{start}ENTRA__CLIENT_SECRET__ENV"]
        profile = load(None, given).providers["new"]
        assert isinstance(profile, AzureOpenAIProfile)
        assert profile.entra is not None
        assert profile.entra.client_secret is not None
        assert profile.entra.client_secret.get_secret_value() == "secret-1"


def test_a_profile_may_be_called_entra(load: Load) -> None:
    environment = {
        "BATCHGATE_PROVIDERS__ENTRA__KIND": "openai",
        "BATCHGATE_PROVIDERS__ENTRA__API_KEY": "sk-1",
    }
    assert list(load(None, environment).providers) == ["entra"]


def test_a_workload_identity_is_filled_in_by_azure(load: Load, problems: Problems) -> None:
    text = f'{AZURE}{ENTRA}method = "workload_identity"\nclient_id = "mine"\n'
    environment = {
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "theirs",
        "AZURE_FEDERATED_TOKEN_FILE": "/var/run/token",
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/",
    }
    profile = load(text, environment).providers["p"]
    assert isinstance(profile, AzureOpenAIProfile)
    assert profile.entra is not None
    assert profile.entra.model_dump(exclude={"scope", "client_secret"}) == {
        "method": "workload_identity",
        "authority": "https://login.microsoftonline.us",
        "tenant_id": "t",
        "client_id": "mine",
        "token_file": Path("/var/run/token"),
    }
    assert problems(
        text, {**environment, "AZURE_AUTHORITY_HOST": "http://x", "AZURE_TENANT_ID": ""}
    ) == {
        "AZURE_AUTHORITY_HOST": "must be https:// and a host, as https://login.microsoftonline.com",
        "providers.p.entra.tenant_id": 'is required with method "workload_identity" '
        "(or AZURE_TENANT_ID)",
    }


def test_mistakes_with_entra(problems: Problems) -> None:
    for text, places in (
        (APPLICATION.replace('"client_secret"\n', '"password"\n'), ["method"]),
        ('method = "client_secret"\n', ["tenant_id", "client_id", "client_secret"]),
        (APPLICATION + 'token_file = "x"\n', ["token_file"]),
        ('method = "managed_identity"\ntenant_id = "t"\n', ["tenant_id"]),
        (APPLICATION + 'autority = "https://x"\n', ["autority"]),
        (APPLICATION + 'authority = "https://x/path"\n', ["authority"]),
        ('method = "managed_identity"\nclient_id = "two words"\n', ["client_id"]),
        (APPLICATION.replace('{ env = "KEY" }', '"sk-1"'), ["client_secret"]),
        (APPLICATION.replace("KEY", "GONE"), ["client_secret"]),
    ):
        found = problems(AZURE + ENTRA + text, KEY)
        assert list(found) == [f"providers.p.entra.{place}" for place in places]
        assert "sk-1" not in str(found)
    assert problems(f'{AZURE}api_key = {{ env = "KEY" }}\n{ENTRA}{APPLICATION}', KEY) == {
        "providers.p": ONE
    }
    assert "did you mean authority?" in str(
        problems(f'{AZURE}{ENTRA}{APPLICATION}autority = "https://x"\n', KEY)
    )


def test_entra_without_its_package(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure", None)
    monkeypatch.delitem(sys.modules, "azure.identity", raising=False)
    found = problems(AZURE + ENTRA + APPLICATION, KEY)
    assert found == {"providers.p.entra.method": "needs a package: pip install 'batchgate[entra]'"}
