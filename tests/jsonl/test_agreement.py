"""Whatever the bytes: the check passes a file exactly if the sandbox takes it."""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchgate_sandbox.flavours.azure import AzureV1
from batchgate_sandbox.flavours.openai import OpenAI
from batchgate_sandbox.validation import check as checked_by_sandbox
from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.jsonl.rules import Rules

MOST = 4
ENDPOINTS = ("/v1/chat/completions", "/v1/responses", "/v1/moderations")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
IDS = st.sampled_from(["a", "b", "c", "", " ", "ä", "\ud83c", "a" * 70]) | JSON
METHODS = st.sampled_from(["POST"] * 6 + ["post", "GET"]) | JSON
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["m"] * 6 + ["n", ""]) | JSON,
        "input": JSON,
        "prompt": JSON,
    },
)
TAILS = ["\n", "\r\n", "\n\n", " \n", "", "\x0c\n", "}\n", ",\n"]


def urls(endpoint: str) -> st.SearchStrategy[Any]:
    forms = [endpoint] * 6 + [
        endpoint.removeprefix("/v1"),
        endpoint[1:],
        endpoint + "/",
        "/v1/embeddings",
    ]
    return st.sampled_from(forms) | JSON


@st.composite
def files(draw: st.DrawFn) -> tuple[str, bytes]:
    """An endpoint, and lines of which most are fine but for one thing."""
    endpoint = draw(st.sampled_from(ENDPOINTS))
    content = ""
    for number in range(draw(st.integers(0, MOST + 1))):
        line: dict[str, Any] = {
            "custom_id": f"r{number}",
            "method": "POST",
            "url": endpoint,
            "body": {"model": "m"},
        }
        odd = {"custom_id": IDS, "method": METHODS, "url": urls(endpoint), "body": BODIES | JSON}
        for name in draw(st.sets(st.sampled_from(sorted(odd)), max_size=2)):
            line[name] = draw(odd[name])
        if draw(st.integers(0, 9)) == 0:
            del line[draw(st.sampled_from(sorted(line)))]
        content += json.dumps(line, ensure_ascii=draw(st.booleans()))
        content += draw(st.sampled_from(["\n"] * 12 + TAILS))
    raw = bytearray(content.encode(errors="surrogatepass"))
    if raw and draw(st.integers(0, 3)) == 0:
        raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
    return endpoint, draw(st.sampled_from([b""] * 20 + [b"\xef\xbb\xbf", b"\xff\xfe"])) + bytes(raw)


@settings(max_examples=400)
@given(files())
def test_the_check_and_the_sandbox_agree(file: tuple[str, bytes]) -> None:
    endpoint, content = file
    for kind, flavour in (("openai", OpenAI()), ("azure_openai", AzureV1())):
        rules = Rules(
            max_lines=MOST,
            max_line_bytes=100_000,
            kind="openai" if kind == "openai" else "azure_openai",
            endpoint=endpoint,
        )
        checker = JsonlChecker(rules)
        checker.feed(content)
        checker.finish()
        found = checked_by_sandbox(
            io.BytesIO(content), endpoint=endpoint, flavour=flavour, max_tasks=MOST
        )
        assert bool(checker.issues) == bool(found.problems), (kind, checker.issues, found.problems)
        if not checker.issues:
            assert checker.line_count == found.total
