"""Takes secrets out of texts that come from outside: providers quote keys in their messages."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

REDACTED = "[redacted]"
# A key of OpenAI's form (also with its middle left out), a bearer token, and anything masked by
# asterisks, which still shows ends.
# Bounded repeats: the texts are not ours.
PATTERNS = (
    r"\bsk-[\w*-]{0,200}(?:\.{2,}|…)[\w*-]{0,200}"
    r"|\bsk-[\w*-]{4,200}"
    r"|\bBearer\s{1,8}[^\s'\"]+"
    r"|\beyJ[\w-]{1,4000}\.[\w.-]+"
    r"|[^\s'\"]{0,64}\*{3,}[^\s'\".]{0,64}"
)


def cleaner(known: Iterable[str]) -> Callable[[str], str]:
    """A function that replaces the `known` secrets, and what looks like one, in a text."""
    secrets = sorted((secret for secret in known if secret), key=len, reverse=True)
    pattern = re.compile(PATTERNS)

    def clean(value: str) -> str:
        # First, and by themselves: a pattern may match but a part of one.
        for secret in secrets:
            value = value.replace(secret, REDACTED)
        return pattern.sub(REDACTED, value)

    return clean


def proxy_secrets(urls: Iterable[str]) -> Iterator[str]:
    """What of proxies' URLs must not be shown: each password in its forms."""
    for url in urls:
        userinfo = url.partition("://")[2].rpartition("@")[0]
        password = userinfo.partition(":")[2]
        if userinfo:
            yield from (userinfo, unquote(userinfo), b64encode(unquote(userinfo).encode()).decode())
        if password:
            yield from (password, unquote(password))
