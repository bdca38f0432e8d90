"""Profiles from the variables that the providers' own tools use, for a start without a file.

Looked at only where nothing else defines a provider: a configuration that names its providers
is complete, and no credential slips in from the environment.
"""

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from batchgate_server.settings.credentials import SECRET_FIELDS
from batchgate_server.settings.document import Document, Entry
from batchgate_server.settings.problems import Problem

# Each setting with its variables; where several are set they have to agree.
OPENAI_VARIABLES: dict[str, tuple[str, ...]] = {
    "api_key": ("OPENAI_API_KEY",),
    "base_url": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
    "organization": ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID"),
    "project": ("OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
}
AZURE_VARIABLES: dict[str, tuple[str, ...]] = {
    "endpoint": ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"),
    "api_version": ("AZURE_API_VERSION", "OPENAI_API_VERSION"),
    "api_key": ("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
    "entra_token": ("AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"),
}
HOW_TO_ADD_A_PROVIDER = (
    "no provider is configured: set OPENAI_API_KEY, or AZURE_API_KEY with AZURE_API_BASE, in the "
    'environment; or add [providers.openai] with kind = "openai" and '
    'api_key = { env = "OPENAI_API_KEY" } to a file given by --config or BATCHGATE_CONFIG'
)


def read_provider_variables(environment: Mapping[str, str], document: Document) -> list[Entry]:
    """The profiles `openai` and `azure`, as far as their variables are set."""
    openai, azure = _set(OPENAI_VARIABLES, environment), _set(AZURE_VARIABLES, environment)
    # An Azure endpoint alone counts: the gateway would otherwise start without that provider.
    wants_azure = bool(azure.keys() - {"api_version"})
    entries: list[Entry] = []
    if "api_key" in openai:
        entries += _profile("openai", "openai", openai, environment, document)
    if wants_azure and _is_complete(azure, document):
        entries += _profile("azure", "azure_openai", azure, environment, document)
    if not entries and not wants_azure:
        document.problems.append(Problem("providers", HOW_TO_ADD_A_PROVIDER))
    return entries


def _set(
    variables: dict[str, tuple[str, ...]], environment: Mapping[str, str]
) -> dict[str, list[str]]:
    found = {
        field: [name for name in names if environment.get(name)]
        for field, names in variables.items()
    }
    return {field: names for field, names in found.items() if names}


def _is_complete(azure: dict[str, list[str]], document: Document) -> bool:
    credentials = azure.get("api_key", []) + azure.get("entra_token", [])
    problems: list[Problem] = []
    if "endpoint" not in azure:
        message = f"is required with {credentials[0]}, as https://NAME.openai.azure.com"
        problems.append(Problem("AZURE_API_BASE", message))
    if not credentials:
        message = f"is required with {azure['endpoint'][0]} (or AZURE_AD_TOKEN)"
        problems.append(Problem("AZURE_API_KEY", message))
    if "api_key" in azure and "entra_token" in azure:
        message = f"cannot be set beside {credentials[0]}; keep one"
        problems.append(Problem(credentials[-1], message))
    document.problems.extend(problems)
    return not problems


def _profile(
    name: str,
    kind: str,
    found: dict[str, list[str]],
    environment: Mapping[str, str],
    document: Document,
) -> Iterator[Entry]:
    yield Entry(("providers", name, "kind"), kind, "providers")
    for field, variables in found.items():
        first, *others = variables
        for other in others:
            if environment[other] != environment[first]:
                document.problems.append(
                    Problem(other, f"differs from {first}, which sets the same; keep one")
                )
        value: object = environment[first]
        if field in SECRET_FIELDS:
            value = SecretStr(environment[first])
        yield Entry(("providers", name, field), value, first)
