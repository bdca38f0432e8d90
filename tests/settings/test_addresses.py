"""The forms of addresses and names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from batchgate_server.settings import (
    AzureOpenAIProfile,
    OpenAIProfile,
    ServerSettings,
    Settings,
    is_local,
)

PASSWORD = "pa55word"


def endpoint_of(url: str) -> str:
    return AzureOpenAIProfile(name="a", endpoint=url, api_key=SecretStr("k")).endpoint


def base_url_of(url: str) -> str:
    return OpenAIProfile(name="a", base_url=url, api_key=SecretStr("k")).base_url


def listen_of(address: str) -> str:
    profile = OpenAIProfile(name="a", api_key=SecretStr("k"))
    everybody = ServerSettings(allow_anonymous=True, insecure=True)
    return Settings(listen=address, providers={"a": profile}, server=everybody).listen


def message_of(error: pytest.ExceptionInfo[ValidationError]) -> str:
    assert PASSWORD not in str(error.value)
    return error.value.errors()[0]["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize("tail", ["", "/", "/openai", "/openai/", "/openai/v1", "/openai/v1/"])
@pytest.mark.parametrize(
    "address",
    ["https://name.openai.azure.com", "http://localhost:8085", "https://apim.example/team"],
)
def test_an_endpoint_is_normalised(address: str, tail: str) -> None:
    assert endpoint_of(address + tail) == address


def test_an_endpoint_without_deployments() -> None:
    with pytest.raises(ValidationError) as caught:
        endpoint_of("https://a.openai.azure.com/openai/deployments/gpt/chat/completions")
    assert message_of(caught).startswith("must be the resource's address, without")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com/V1//", "https://api.openai.com/V1"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://[::1]:8085/v1", "http://[::1]:8085/v1"),
        ("http://sandbox_1.:80/v1", "http://sandbox_1.:80/v1"),
    ],
)
def test_base_urls(url: str, expected: str) -> None:
    assert base_url_of(url) == expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "must be an absolute URL that begins with https:// or http://"),
        ("api.openai.com/v1", "must be an absolute URL that begins with https:// or http://"),
        ("//api.openai.com", "must be an absolute URL that begins with https:// or http://"),
        ("https:/api.openai.com", "must be an absolute URL that begins with https:// or http://"),
        ("ftp://a/", "must be an absolute URL that begins with https:// or http://"),
        (f"https://u:{PASSWORD}@a/", "must not hold a user name or password"),
        (f"https://{PASSWORD}@a/", "must not hold a user name or password"),
        (f"https://u:{PASSWORD}@a:x/", "must have a valid host and port"),
        (f"https://u:{PASSWORD}@[a/", "must have a valid host and port"),
        (f"https://a/?key={PASSWORD}", "must not have a query or a fragment"),
        ("https://a/?", "must not have a query or a fragment"),
        ("https://a/#x", "must not have a query or a fragment"),
        ("https://a:0/", "must have a valid host and port"),
        ("https://a:65536/", "must have a valid host and port"),
        ("https://:80/", "must have a valid host and port"),
        ("https://a..b/", "must have a valid host and port"),
        ("https://-a/", "must have a valid host and port"),
        ("https://a b/", "must be plain ASCII without spaces"),
        ("https://a\n/", "must be plain ASCII without spaces"),
        ("https://a\\b/", "must be plain ASCII without spaces"),
        ("https://münchen.example/", "must be plain ASCII without spaces"),
    ],
)
def test_wrong_urls(url: str, message: str) -> None:
    for check in (base_url_of, endpoint_of):
        with pytest.raises(ValidationError) as caught:
            check(url)
        assert message_of(caught).startswith(message)


@given(
    scheme=st.sampled_from(["http", "https"]),
    host=st.from_regex(r"[a-z0-9]{1,20}(\.[a-z0-9]{1,9}){0,3}", fullmatch=True),
    port=st.none() | st.integers(1, 65_535),
    path=st.lists(st.from_regex(r"[a-z0-9._~-]{1,9}", fullmatch=True), max_size=4),
)
def test_a_normalised_url_stays_as_it_is(
    scheme: str, host: str, port: int | None, path: list[str]
) -> None:
    url = f"{scheme}://{host}" + (f":{port}" if port else "") + "".join(f"/{part}" for part in path)
    assert base_url_of(url) == url
    assert base_url_of(url + "/") == url
    assert endpoint_of(endpoint_of(url)) == endpoint_of(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:50051",
        "0.0.0.0:0",
        "localhost:65535",
        "[::]:50051",
        "[::1]:0",
        "[fe80::1%eth0]:1",
        "gateway.example:443",
        "unix:/run/batchgate.sock",
    ],
)
def test_listen(address: str) -> None:
    assert listen_of(address) == address


def test_listen_on_a_socket_in_the_url_form() -> None:
    assert listen_of("unix:///run/a.sock") == "unix:/run/a.sock"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", 'must be "host:port", "[v6]:port" or "unix:/path"'),
        ("50051", 'must be "host:port", "[v6]:port" or "unix:/path"'),
        (":50051", 'must be "host:port", "[v6]:port" or "unix:/path"'),
        ("localhost:", "must end with a port from 0 to 65535 (0: any free one)"),
        ("localhost:grpc", "must end with a port from 0 to 65535 (0: any free one)"),
        ("localhost:65536", "must end with a port from 0 to 65535 (0: any free one)"),
        ("localhost:-1", "must end with a port from 0 to 65535 (0: any free one)"),
        ("localhost:٣", "must end with a port from 0 to 65535 (0: any free one)"),
        ("::1:50051", 'must have an IPv6 host in brackets, as in "[::1]:50051"'),
        ("http://localhost:50051", 'must have an IPv6 host in brackets, as in "[::1]:50051"'),
        ("[localhost]:1", "must have an IPv6 address in the brackets"),
        ("local host:1", "must have a host name or an IP address before the port"),
        ("unix:run/a.sock", 'must have an absolute path, as in "unix:/run/batchgate.sock"'),
        ("unix:/a\0", 'must have an absolute path, as in "unix:/run/batchgate.sock"'),
        ("unix:/" + "a" * 107, "must have a socket path of at most 107 bytes"),
    ],
)
def test_wrong_listen(address: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        listen_of(address)
    assert message_of(caught) == message


@given(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,62}", fullmatch=True))
def test_names(name: str) -> None:
    assert OpenAIProfile(name=name, api_key=SecretStr("k")).name == name


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "_a", "a b", "a/b", "a\n", "é", "a" * 64])
def test_wrong_names(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OpenAIProfile(name=name, api_key=SecretStr("k"))
    assert message_of(caught).startswith("a profile's name must be 1 to 63 of")


@pytest.mark.parametrize(
    ("listen", "local"),
    [
        ("127.0.0.1:50051", True),
        ("127.8.9.10:1", True),
        ("[::1]:50051", True),
        ("localhost:50051", True),
        ("unix:/run/batchgate.sock", True),
        ("0.0.0.0:50051", False),
        ("[::]:50051", False),
        ("10.0.0.1:50051", False),
        ("gateway.internal:50051", False),
    ],
)
def test_is_local(listen: str, local: bool) -> None:
    assert is_local(listen) == local
