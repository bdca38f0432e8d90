"""What a provider takes in a batch file, and what is replaced on the way to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

V1 = "/v1"


@dataclass(frozen=True, slots=True)
class Rules:
    """One profile's rules for the lines of a file. Each default is what both providers document."""

    max_lines: int
    """OpenAI 50,000 requests, Azure OpenAI 100,000."""
    max_line_bytes: int
    """The gateway's own limit, since a line is held whole; no provider documents one."""
    refuses_byte_order_mark: bool = False
    """Azure OpenAI does; OpenAI says nothing of it."""
    endpoint: str = ""
    """If set, every line's url must match it, with or without `/v1`."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Models to replace, and by what."""
    permitted_models: frozenset[str] | None = None
    """The models that lines may name, if the caller may use but some."""
    url_prefix: str | None = None
    """`/v1` or nothing, if urls are to be brought into that form."""

    @property
    def rewrites(self) -> bool:
        """Whether any line may be changed."""
        return bool(self.models) or self.url_prefix is not None


def plain(url: str) -> str:
    """A url without the `/v1` that Azure OpenAI's documents leave out at times."""
    return url.removeprefix(V1)


def formed(url: str, prefix: str | None) -> str:
    """A url in the wanted form; None leaves it as it is."""
    return url if prefix is None else prefix + plain(url)
