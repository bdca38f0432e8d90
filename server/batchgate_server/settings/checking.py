"""A document checked against the models, as far as possible in spite of mistakes."""

import difflib

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from batchgate_server.settings.callers import problems_of
from batchgate_server.settings.document import Document, Keys
from batchgate_server.settings.models import Settings, unknown_default
from batchgate_server.settings.problems import ConfigurationError
from batchgate_server.settings.wording import KINDS, kind_with, message_for, unknown_key


def check(document: Document) -> Settings:
    """The settings.

    Raises:
        ConfigurationError: with the problems the document already had and those found here.
    """
    _check_top(document)
    guessed = {name for name in list(document.profiles()) if _guess_kind(name, document)}
    settings = None
    details: list[ErrorDetails] = []
    try:
        settings = Settings.model_validate(document.values)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)
    for detail in details:
        _report(detail, document, guessed)
    if settings is None or document.problems:
        # Raised here and not while handling pydantic's error, which would be shown with it.
        raise ConfigurationError(document.problems)
    return settings


def _check_top(document: Document) -> None:
    # Before pydantic-settings sees them: it takes keys such as `_env_file` for its own options.
    for key in [key for key in document.values if key not in Settings.model_fields]:
        document.report((key,), unknown_key((key,), document))
        del document.values[key]
    # Not left to the model, which is silent about it while any profile has a mistake.
    default = document.values.get("default_provider")
    names = document.profiles()
    problem = unknown_default(default, names) if isinstance(default, str) else None
    if problem is not None:
        del document.values["default_provider"]
        if names:
            document.report(("default_provider",), problem)
    _check_callers(document)


def _check_callers(document: Document) -> None:
    callers = document.values.get("callers")
    if not isinstance(callers, dict):
        return
    for name, caller in callers.items():
        if isinstance(caller, dict) and "name" in caller:
            document.report(("callers", name, "name"), "is the table's own key, not set inside it")
            del caller["name"]
    tls = document.values.get("tls")
    verified = isinstance(tls, dict) and tls.get("client_ca_file")
    named = any(isinstance(caller, dict) and caller.get("san") for caller in callers.values())
    if named and not verified:
        document.report(("tls", "client_ca_file"), "is required where callers have a san")
    for keys, message in problems_of(callers, document.profiles()):
        document.report(keys, message)


def _guess_kind(name: str, document: Document) -> bool:
    """Put in the likeliest kind where it is missing or unknown, to check the rest by it."""
    profile = document.profiles()[name]
    if not isinstance(profile, dict):
        return False
    if "name" in profile:
        document.report(("providers", name, "name"), "is the table's own key, not set inside it")
        del profile["name"]
    kind = profile.get("kind")
    if isinstance(kind, str) and kind in KINDS:
        return False
    allowed = " or ".join(f'"{known}"' for known in KINDS)
    verb = "must be" if "kind" in profile else "is required:"
    document.report(("providers", name, "kind"), f"{verb} {allowed}")
    alike = difflib.get_close_matches(str(kind), KINDS, n=1)
    profile["kind"] = alike[0] if alike else max(KINDS, key=lambda known: _shared(profile, known))
    return True


def _shared(profile: dict[str, object], kind: str) -> int:
    return len(profile.keys() & KINDS[kind].model_fields.keys())


def _report(detail: ErrorDetails, document: Document, guessed: set[str]) -> None:
    match tuple(str(part) for part in detail["loc"]):
        case ("providers" | "callers" as table, name, "[key]"):
            keys: Keys = (table, name)
        case ("providers", _, _, "name") | ("callers", _, "name") | ("providers",) if (
            detail["type"] != "dict_type"
        ):
            return  # Told already: of the key, or where no provider was found.
        case ("callers", name, field, *_):
            # Not which of a list: the list is where it stands in the file.
            keys = ("callers", name, field)
        case ("providers", name, _, field, *rest):
            # Without the kind, by which pydantic chose the model.
            keys = ("providers", name, field, *rest)
            if detail["type"] == "extra_forbidden" and name in guessed and kind_with(field):
                return  # Right for the other kind, and the guess may be wrong.
        case keys:
            pass
    # Not of the field where it is noticed.
    match detail["type"]:
        case "credential":
            keys = keys[:-1]
        case "exposed":
            keys = ("listen",)
        case "anonymous":
            keys = ("server", "allow_anonymous")
        case "workers":
            keys = ("server", "workers")
    document.report(keys, message_for(detail, keys, document))
