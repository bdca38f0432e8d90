"""Models and urls replaced in lines, all other bytes untouched."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchgate_server.jsonl.checker import JsonlChecker
from batchgate_server.jsonl.rules import Rules

ALIASES = {"gpt-4o-mini": "my-deployment"}


def rewritten(content: bytes, *, url_prefix: str | None = None, size: int = 7) -> tuple[bytes, int]:
    rules = Rules(max_lines=100, max_line_bytes=10_000, models=ALIASES, url_prefix=url_prefix)
    checker = JsonlChecker(rules)
    sent = b"".join(checker.feed(content[n : n + size]) for n in range(0, len(content), size))
    sent += checker.finish()
    assert checker.issues == []
    return sent, checker.rewritten_lines


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "gpt-4o-mini", "messages": []}',
        b'{"messages": [{"content": "use \\"gpt-4o-mini\\" now"}], "model" : "gpt-4o-mini"}',
        b'{"messages": ["gpt-4o-mini"], "model": "gpt-4o-mini", "user": "gpt-4o-mini"}',
        b'{"x": {"model": "gpt-4o-mini"}, "model": "gpt-4o-mini", "y": [{"model": "gpt-4o-mini"}]}',
        b'{"model": "gpt-4o-mini", "model": "gpt-4o-mini"}',
        b'{"\\u006dodel": "gpt-4o-mini", "z": ["gpt-4o-mini", 1.50, -0, 1e5, true, null]}',
        b'{"model": "gpt\\u002d4o-mini", "k": "a\\\\"}',
    ],
)
def test_only_the_model_changes(body: bytes) -> None:
    """The model's name elsewhere, before or after other keys, escaped: only the value is replaced."""
    head = b'{"body": '
    tail = b', "custom_id": "gpt-4o-mini", "method": "POST", "url": "/u", "model": "gpt-4o-mini"}\n'
    line = head + body + tail
    sent, count = rewritten(line)
    assert count == 1
    assert json.loads(sent)["body"]["model"] == "my-deployment"
    place = sent.index(b'"my-deployment"')
    # Put back as it was, nothing else differs.
    old = b'"gpt\\u002d4o-mini"' if b"\\u002d" in body else b'"gpt-4o-mini"'
    assert sent[:place] + old + sent[place + len(b'"my-deployment"') :] == line


def test_a_long_text_takes_no_memory_of_its_own() -> None:
    """Measured in a process of its own: what the matching of texts holds, Python's tracing misses."""
    code = """
import resource
from batchgate_server.jsonl.envelopes import decode_raw
from batchgate_server.jsonl.places import replaced
line = b'{"custom_id":"m","body":{"x":"%b","model":"m"}}' % (b"x\\\\n" * 3_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert replaced(line, decode_raw(line).body.model, b'"q"') == line[:-4] + b'q"}}'
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 // len(line))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 10


def test_lines_that_need_no_change_stay_as_they_are() -> None:
    line = b'{"custom_id":"%d","method":"POST","url":"/v1/u","body":{"model":"my-deployment"}}\r\n'
    content = b"".join(line % n for n in range(5))
    assert rewritten(content) == (content, 0)


@pytest.mark.parametrize(
    ("prefix", "given_url", "sent_url"),
    [("", "/v1/u", "/u"), ("", "/u", "/u"), ("/v1", "/u", "/v1/u"), ("/v1", "/v1/u", "/v1/u")],
)
def test_urls_come_into_the_wanted_form(prefix: str, given_url: str, sent_url: str) -> None:
    line = {"custom_id": "/v1/u", "url": given_url, "method": "POST", "body": {"url": given_url}}
    sent, count = rewritten(json.dumps(line).encode(), url_prefix=prefix)
    assert json.loads(sent) == {**line, "url": sent_url}
    assert count == (given_url != sent_url)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just("gpt-4o-mini")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["model", "body", "url", "x", 'q"', "é"]), inner, max_size=4
        ),
    ),
    max_leaves=10,
)


@given(body=st.dictionaries(st.sampled_from(["a", "body", "url", "z"]), VALUES), extra=VALUES)
def test_rewriting_then_parsing_is_parsing_then_rewriting(body: dict[str, Any], extra: Any) -> None:
    line = {
        "x": extra,
        "body": {**body, "model": "gpt-4o-mini"},
        "custom_id": "c",
        "method": "POST",
        "url": "/v1/u",
        "y": extra,
    }
    sent, count = rewritten(json.dumps(line).encode() + b"\n", url_prefix="")
    line["body"]["model"], line["url"] = "my-deployment", "/u"
    assert json.loads(sent) == line
    assert count == 1


@pytest.mark.parametrize("url", ["/u", r"/u\uD83C"])
def test_a_line_with_half_a_surrogate_pair(url: str) -> None:
    line = (
        rb'{"custom_id":"\ud83c","method":"POST","body":{"\udf89":"\ufffd gpt-4o-mini",'
        rb'"model":"%b","user":"\ud83c\udf89 \ud83c"},"url":"%b"}'
    )
    new_url = "/v1" + url.replace("D83C", "d83c")
    wanted = line % (b"my-deployment", new_url.encode())
    content = line % (b"gpt-4o-mini", url.encode())
    assert rewritten(content, url_prefix="/v1") == (wanted, 1)
    assert rewritten(wanted, url_prefix="/v1") == (wanted, 0)
