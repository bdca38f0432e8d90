"""The providers' published API documents, as judges of single answers.

The documents are not part of the project: they lie beside it. Where Microsoft's documents and
its service are known to differ, the difference is taken out of the document here, one by one and
with its reason; everything else is judged as published.
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Json = dict[str, Any]
PLACE = Path(__file__).parents[2].parent / "shared" / "specs"
_BINARY, _JSON = "application/octet-stream", "application/json"
_DOCUMENT = "urn:document"
# An answer that a document does not list, although the service was seen to give it.
_UNLISTED: dict[tuple[str, str, int], str] = {
    ("azure-2024", "DELETE", 204): "documented as 200 with an object, seen without a body",
    ("azure-2025", "DELETE", 204): "documented as 200 with an object, seen without a body",
}
FILES = {
    "openai": "openai-files-batches-uploads.patched.yaml",
    "azure-2024": "azure-authoring-2024-10-21.extract.yaml",
    "azure-2025": "azure-authoring-2025-04-01-preview.extract.yaml",
    "azure-v1": "azure-v1-files-batches.pruned.yaml",
}
BASES = {
    "openai": "/v1",
    "azure-2024": "/openai",
    "azure-2025": "/openai",
    "azure-v1": "/openai/v1",
}


@dataclass(frozen=True)
class Specification:
    """One document; ``judge`` says what is wrong with an answer."""

    name: str
    document: Json
    registry: Registry[Any]

    def judge(self, answer: httpx.Response) -> list[str]:
        """What in the answer is not as published."""
        method, status = answer.request.method, answer.status_code
        path = answer.request.url.path.removeprefix(BASES[self.name])
        template = self._template(path)
        responses = self.document["paths"][template][method.lower()]["responses"]
        listed = next((one for one in (str(status), "default") if one in responses), None)
        if (self.name, method, status) in _UNLISTED:
            return [] if not answer.content else ["a body where none was seen"]
        if listed is None or (listed == "default" and answer.is_success):
            return [f"{method} {template} has no answer {status}"]
        response = responses[listed]
        missing = [one for one in response.get("headers", {}) if one not in answer.headers]
        if missing and answer.is_success:
            return [f"without the header {one}" for one in missing]
        media, pointer = _media(response)
        if not answer.headers["content-type"].startswith(media):
            return [f"{answer.headers['content-type']} instead of {media}"]
        if media != _JSON:
            return []
        where = ["paths", template, method.lower(), "responses", listed, *pointer]
        return self.validate(answer.json(), where)

    def validate(self, value: object, where: list[str]) -> list[str]:
        """What in ``value`` is not as the schema at ``where`` wants it."""
        escaped = "/".join(one.replace("~", "~0").replace("/", "~1") for one in where)
        schema = {"$ref": f"{_DOCUMENT}#/{escaped}"}
        validator = Draft202012Validator(schema, registry=self.registry)
        told = value if self.name == "openai" else _without_nulls(value)
        return [f"{one.json_path}: {one.message}" for one in validator.iter_errors(told)]

    def _template(self, path: str) -> str:
        for template in self.document["paths"]:
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
                return str(template)
        raise AssertionError(f"{self.name} has no path for {path}")


def _media(response: Json) -> tuple[str, list[str]]:
    """The media type of an answer and the way to its schema, in either generation of OpenAPI."""
    if "schema" in response:
        return (_BINARY if response["schema"].get("type") == "file" else _JSON), ["schema"]
    media = _BINARY if _BINARY in response["content"] else _JSON
    return media, ["content", media, "schema"]


def _without_nulls(value: object) -> object:
    """Microsoft's documents know nearly no null; its samples are full of members that are null."""
    match value:
        case dict():
            return {
                name: _without_nulls(one)
                for name, one in value.items()
                if one is not None or name in ("param", "code")
            }
        case list():
            return [_without_nulls(one) for one in value]
        case _:
            return value


def _mended(name: str, document: Json) -> Json:
    """The document without what is known to be otherwise in practice."""
    if name.startswith("azure-20"):
        definitions = document["definitions"]
        for code in ("ErrorCode", "InnerErrorCode"):
            # ``modelAsString``: the document's own word for an open list.
            assert definitions[code]["x-ms-enum"]["modelAsString"]
            del definitions[code]["enum"]
        errors = definitions["BatchErrors"]["properties"]
        # Typed as one object; every sample has a list, as ``object: list`` says.
        errors["data"] = {"type": "array", "items": errors["data"]}
        # The one null that its own description allows.
        definitions["BatchErrorData"]["properties"]["param"]["type"] = ["string", "null"]
    return document


@cache
def specification(name: str) -> Specification:
    """The document of a flavour; without it the test is skipped, but fails in CI."""
    path = PLACE / FILES[name]
    if not path.exists():
        reason = f"the provider's API document is not at ../shared/specs/{path.name}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    document = _mended(name, yaml.safe_load(path.read_text(encoding="utf-8")))
    resource = DRAFT202012.create_resource(document)
    return Specification(name, document, Registry().with_resource(_DOCUMENT, resource))
