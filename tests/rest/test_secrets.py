"""Secrets in texts from outside."""

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from batchgate_server.rest.secrets import cleaner, proxy_secrets

VISIBLE = st.text([*string.ascii_letters, *string.digits, *string.punctuation], min_size=8)


@given(secret=VISIBLE, before=st.text(), after=st.text())
def test_a_known_secret_never_comes_through(secret: str, before: str, after: str) -> None:
    assume(secret not in f"{before}{after}[redacted]")
    cleaned = cleaner([secret])(f"{before}{secret}{after}")
    assert secret not in cleaned
    assert "[redacted]" in cleaned
    # Nor the end of it, which a pattern that stops at a quote would leave.
    assert secret[-6:] not in cleaned.replace(before, "").replace(after, "").replace(
        "[redacted]", ""
    )


@given(text=st.text(), known=st.lists(st.text(max_size=5)))
def test_any_text_can_be_cleaned(text: str, known: list[str]) -> None:
    assert isinstance(cleaner(known)(text), str)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (
            "Incorrect API key provided: sk-proj-****abcd.",
            "Incorrect API key provided: [redacted].",
        ),
        ("key 'ab12********89yz' is wrong", "key '[redacted]' is wrong"),
        ("Received API Key = sk-...1234, Key", "Received API Key = [redacted], Key"),
        ("Received sk-ab…yz.", "Received [redacted]."),
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
        ("token eyJh.eyJz.c2ln expired", "token [redacted] expired"),
        ("sk-svcacct-abcdefgh", "[redacted]"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, cleaned: str) -> None:
    assert cleaner([])(text) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "No such File object: file-abc123",
        "Please wait...then try again",
        "Cannot cancel a batch with status 'completed'.",
        "Use ** for powers",
        "the task-force and the risk-free",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert cleaner(["a-key-of-ours"])(text) == text


def test_an_empty_secret_is_none() -> None:
    assert cleaner([""])("text") == "text"


def test_of_two_secrets_the_longer_goes_first() -> None:
    assert cleaner(["abcd", "abcd-efgh"])("abcd-efgh") == "[redacted]"


def test_a_proxy_s_credential_is_known_in_each_of_its_forms() -> None:
    clean = cleaner(
        proxy_secrets(["http://me:p%40ss-word@p:1", "http://to%6ben@p:1", "http://p:1"])
    )
    for form in (
        "to%6ben",
        "token",
        "p@ss-word",
        "p%40ss-word",
        "me:p@ss-word",
        "bWU6cEBzcy13b3Jk",
    ):
        assert clean(f"Basic {form}") == "Basic [redacted]"
    assert clean("http://p:1") == "http://p:1"
