"""RELIABILITY.md names tests that there are, and each promise names one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "RELIABILITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(test_\w+)`", TEXT)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(one) for one in NAMED])
def test_a_named_test_is_there(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    functions = [
        one.name for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert name in functions


def test_each_promise_names_a_test() -> None:
    promised, _, _ = TEXT.partition("## What is not promised")
    promises = re.split(r"^\*\*", promised, flags=re.MULTILINE)[1:]
    assert promises
    assert not [promise.partition("**")[0] for promise in promises if "`tests/" not in promise]
