"""Lines of conformance programs: what a step should give, and the form in which they are compared."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

JsonObject = dict[str, Any]

_NAMED = re.compile(r"\$\{(\w+)\}")
# Ids keep which is which; what else differs from run to run becomes one word.
_ID = re.compile(r"\b(?:file|batch|req|chatcmpl|resp)[-_](?:sandbox[-_])?[0-9A-Za-z]{16,}\b")
_VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"), "TIME"),
    (re.compile(r"(?<=\\\"created\\\":)\d+"), "TIME"),  # in a body's text, escaped
    (re.compile(r"(?<=127\.0\.0\.1:)\d+"), "PORT"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UUID"),
)
_OPAQUE = {"next_page_token", "resume_token"}


def filled(value: Any, variables: Mapping[str, str]) -> Any:
    """`value` with each `${name}` in its strings replaced."""
    match value:
        case str():
            return _NAMED.sub(lambda found: variables[found[1]], value)
        case list():
            return [filled(one, variables) for one in value]
        case dict():
            return {key: filled(one, variables) for key, one in value.items()}
    return value


def kept(step: JsonObject, line: JsonObject) -> dict[str, str]:
    """The variables that a step takes from its answer."""
    return {name: _at(line.get("answer", {}), path) for name, path in step.get("keep", {}).items()}


def _at(answer: Any, path: str) -> str:
    for name in path.split("."):
        answer = answer[name]
    return str(answer)


def differences(expected: Any, given: Any, *, at: str = "") -> Iterator[str]:
    """Where `given` lacks what is expected: objects may hold more, all else is equal."""
    if isinstance(expected, dict) and isinstance(given, dict):
        for key, value in expected.items():
            # What has its default value is left out by protobuf's JSON.
            absent = 0 if isinstance(value, int) else None
            yield from differences(value, given.get(key, absent), at=f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for number, (wanted, one) in enumerate(zip(expected, given, strict=True)):
            yield from differences(wanted, one, at=f"{at}[{number}]")
    elif expected != given:
        yield f"{at}: {given!r}, not {expected!r}"


def misses(step: JsonObject, line: JsonObject, variables: Mapping[str, str]) -> list[str]:
    """Where a line is not what its step expects."""
    expected = filled(step["expect"], variables)
    error = line.get("error", {})
    flat = {
        **{name: error.get(name) for name in ("reason", "retry", "violations")},
        **{name: line.get(name) for name in ("code", "answer", "request_id")},
    }
    return list(differences(expected, flat, at=step["step"]))


def comparable(lines: list[JsonObject]) -> list[str]:
    """The lines as texts that are equal for all languages and runs."""
    seen: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return seen.setdefault(found[0], f"{re.split('[-_]', found[0])[0]}#{len(seen) + 1}")

    texts = []
    for line in lines:
        text = json.dumps(_plain(line), sort_keys=True, ensure_ascii=False)
        for pattern, word in _VARYING:
            text = pattern.sub(word, text)
        texts.append(_ID.sub(numbered, text))
    return texts


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {
                key: "TOKEN" if key in _OPAQUE else _plain(one)
                for key, one in value.items()
                if key != "provider_request_id"
            }
        case list():
            return [_plain(one) for one in value]
    return value
