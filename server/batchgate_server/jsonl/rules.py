"""What a provider takes in a batch file, and what is replaced on the way to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from batchgate_server.jsonl.envelopes import has_prompt

Kind = Literal["openai", "azure_openai"]
V1 = "/v1"
# The endpoints that are known today, by their paths after `/v1`. Others pass: a new one needs no
# release.
ENDPOINTS = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/embeddings",
        "/images/edits",
        "/images/generations",
        "/moderations",
        "/responses",
        "/videos",
    }
)
# OpenAI's other endpoints have a default model.
NEEDS_MODEL = frozenset({"/chat/completions", "/completions", "/embeddings", "/responses"})
MAX_URL = 256
_HOST = re.compile(r"\s*https?://[^/]*", re.IGNORECASE)
_VERSIONS = re.compile(r"^(?:v1/+)+")


@dataclass(frozen=True, slots=True)
class Rules:
    """One profile's rules for the lines of a file. Each default is what both providers document."""

    max_lines: int
    """OpenAI 50,000 requests, Azure OpenAI 100,000."""
    max_line_bytes: int
    """The gateway's own limit, since a line is held whole; no provider documents one."""
    kind: Kind = "openai"
    """Azure OpenAI takes urls with and without `/v1`, and needs a model in every line."""
    endpoint: str = ""
    """If set, every line's url must match it."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Models to replace, and by what."""
    permitted_models: frozenset[str] | None = None
    """The models that lines may be sent with, if the caller may use but some."""
    url_prefix: str | None = None
    """`/v1` or nothing, if urls are to be brought into that form."""

    @property
    def permitted_names(self) -> str:
        """What lines may name for that, to be told."""
        permitted = self.permitted_models or frozenset()
        names = {name for name, sent in self.models.items() if sent in permitted}
        return ", ".join(sorted(permitted | names))

    @property
    def rewrites(self) -> bool:
        """Whether any line may be changed."""
        return bool(self.models) or self.url_prefix is not None

    def compared(self, url: str) -> str:
        """What two urls have in common that a provider of this kind takes for the same."""
        return url if self.kind == "openai" else plain(url)

    def url_fault(self, url: str) -> str | None:
        """What is wrong with a line's url, or a batch's endpoint, that no such provider takes.

        None of what is well-formed but unknown: that may be an endpoint to come.
        """
        if (path := _path(url)) in ENDPOINTS:
            forms = (V1 + path,) if self.kind == "openai" else (V1 + path, path)
            return None if url in forms else f"must be {' or '.join(forms)}"
        return None if url.startswith("/") else f"must be a path, such as {V1}/chat/completions"

    def needs_model(self, url: str) -> bool:
        """Whether a body that goes to `url` must name a model, or a prompt that does."""
        return self.kind == "azure_openai" or plain(url) in NEEDS_MODEL

    def lacks_model(self, url: str, line: bytes) -> bool:
        """Whether a line whose body names no model lacks one; OpenAI's stored prompts have their own."""
        stored = self.kind == "openai" and plain(url) == "/responses"
        return self.needs_model(url) and not (stored and has_prompt(line))


def _path(url: str) -> str:
    """The endpoint that is probably meant by a url, as ENDPOINTS has it."""
    if len(url) > MAX_URL:
        return ""
    host = _HOST.match(url)
    path = url[host.end() if host else 0 :].strip(" /").lower()
    return "/" + _VERSIONS.sub("", path)


def plain(url: str) -> str:
    """A url without the `/v1` that Azure OpenAI's documents leave out at times."""
    return url.removeprefix(V1)


def formed(url: str, prefix: str | None) -> str:
    """A url in the wanted form; None leaves it as it is."""
    return url if prefix is None else prefix + plain(url)
