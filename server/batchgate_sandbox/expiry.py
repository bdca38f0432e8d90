"""``expires_after`` and ``output_expires_after``: how long a file is to live."""

from collections.abc import Mapping

from batchgate_sandbox.errors import invalid
from batchgate_sandbox.flavours.openai import OpenAI


def lifetime_from_form(fields: Mapping[str, str], flavour: OpenAI) -> int | None:
    """The seconds that a form asks for, in one of the flavour's spellings; None: not asked.

    Raises:
        RefusedError: The flavour does not know the field or the spelling, or a value is wrong.
    """
    given = [name for name in fields if name.startswith("expires_after")]
    if not given:
        return None
    for spelling in flavour.expiry_fields:
        anchor, seconds = spelling.format("anchor"), spelling.format("seconds")
        if set(given) <= {anchor, seconds}:
            text = fields.get(seconds, "")
            value = int(text) if text.isdecimal() else text
            return _checked(fields.get(anchor), value, flavour, "expires_after")
    raise invalid(f"Unknown parameter: '{given[0]}'.", code="unknown_parameter", param=given[0])


def lifetime_from_json(given: object, flavour: OpenAI, name: str) -> int | None:
    """The seconds that a JSON member asks for; None: not asked.

    Raises:
        RefusedError: The flavour does not know the member, or its value is wrong.
    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise invalid(f"Invalid type for '{name}': expected an object.", param=name)
    return _checked(given.get("anchor"), given.get("seconds"), flavour, name)


def _checked(anchor: object, seconds: object, flavour: OpenAI, name: str) -> int:
    if flavour.expiry_range is None:
        raise invalid(f"Unknown parameter: '{name}'.", code="unknown_parameter", param=name)
    if anchor != "created_at":
        raise invalid(f"Invalid '{name}.anchor': must be 'created_at'.", param=f"{name}.anchor")
    least, most = flavour.expiry_range
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not least <= seconds <= most:
        message = f"Invalid '{name}.seconds': must be an integer from {least} to {most}."
        raise invalid(message, param=f"{name}.seconds")
    return seconds
