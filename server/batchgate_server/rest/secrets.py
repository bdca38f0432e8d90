"""Takes secrets out of texts that come from outside: providers quote keys in their messages."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

REDACTED = "[redacted]"
# A shorter key stands in many a word by chance.
SHORTEST = 8
# A key of OpenAI's form (also with its middle left out), a bearer token, and anything masked by
# asterisks, which still shows ends.
# Bounded repeats: the texts are not ours.
PATTERNS = (
    r"\bsk-[\w*-]{0,200}(?:\.{2,}|…)[\w*-]{0,200}"
    r"|\bsk-[\w*-]{4,200}"
    r"|\bBearer\s{1,8}[^\s'\"]+"
    r"|\beyJ[\w-]{1,4000}\.[\w.-]+"
)
# Looked for only where it can be: it takes a second for a mebibyte.
MASK = "***"
MASKED = r"|[^\s'\"]{0,64}\*{3,}[^\s'\".]{0,64}"


def cleaner(known: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces the `known` secrets, and what looks like one, in a text."""
    secrets = sorted((secret for secret in known if secret), key=len, reverse=True)

    def clean(value: str) -> str:
        # First, and by themselves: a pattern may match but a part of one.
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return re.sub(PATTERNS + MASKED if MASK in value else PATTERNS, REDACTED, value)

    return clean


def without(known: Iterable[str], document: object, body: bytes) -> object:
    """A document of JSON, read from `body`, whose texts have none of the `known` secrets in them.

    What only looks like one stays, since names of files and labels are their owners' words.
    """
    secrets = [secret for secret in known if len(secret) >= SHORTEST]
    # Seldom is one in it; what is written as an escape is found in the texts themselves.
    if b"\\" in body or any(secret.encode() in body for secret in secrets):
        for secret in secrets:
            document = _without(secret, document)
    return document


def _without(secret: str, value: object) -> object:
    if isinstance(value, str):
        return value.replace(secret, REDACTED)
    if isinstance(value, list):
        return [_without(secret, item) for item in value]
    if isinstance(value, dict):
        return {
            name.replace(secret, REDACTED): _without(secret, each) for name, each in value.items()
        }
    return value


def proxy_secrets(urls: Iterable[str]) -> Iterator[str]:
    """What of proxies' URLs must not be shown: each password in its forms."""
    for url in urls:
        userinfo = url.partition("://")[2].rpartition("@")[0]
        password = userinfo.partition(":")[2]
        if userinfo:
            yield from (userinfo, unquote(userinfo), b64encode(unquote(userinfo).encode()).decode())
        if password:
            yield from (password, unquote(password))
