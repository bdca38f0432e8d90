"""Which provider is meant, before anything is sent there."""

from collections.abc import Sequence
from difflib import get_close_matches

from batchgate.v1.provider_service_pb2 import PROVIDER_KIND_AZURE_OPENAI, Provider
from batchgate_client import Client
from batchgate_client.cli.checking import Limits
from batchgate_client.cli.failures import UNUSABLE, failure
from batchgate_client.cli.wording import printable


def near(name: str, names: Sequence[str]) -> str:
    """The name that was probably meant, as an advice; empty if none is near."""
    found = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean --provider {printable(found[0])}?" if found else ""


def chosen_provider(client: Client, name: str) -> Provider:
    """The profile of that name, or the default one where it is empty.

    Raises:
        typer.Exit: there is none.
    """
    providers = client.list_providers()
    for provider in providers:
        if provider.name == name or (not name and (provider.is_default or len(providers) == 1)):
            return provider
    names = [provider.name for provider in providers]
    listed = printable(", ".join(names)) or "none"
    if not name:
        message = f"several providers, and no default: name one with --provider\n  {listed}"
        raise failure(message, code=UNUSABLE)
    lines = [f"no provider is named {name!r}; there are: {listed}", f"  {near(name, names)}"]
    raise failure("\n".join(line for line in lines if line.strip()), code=UNUSABLE)


def limits_of(provider: Provider) -> Limits:
    """What the provider takes, as the gateway says."""
    return Limits(
        max_lines=provider.limits.max_requests_per_batch,
        max_file_bytes=provider.limits.max_batch_file_bytes,
        kind="azure_openai" if provider.kind == PROVIDER_KIND_AZURE_OPENAI else "openai",
    )
