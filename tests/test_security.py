"""SECURITY.md names the tests that hold its promises: they are there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_tests_that_it_names_are_there() -> None:
    promised = (ROOT / "SECURITY.md").read_text().partition("## What is promised")[2]
    promised = promised.partition("\n## ")[0]
    for paragraph in promised.strip().split("\n\n"):
        named = re.findall(r"`(tests/[\w./]+)`", paragraph)
        assert named, f"a promise without a test: {paragraph[:60]}"
        assert all((ROOT / name).exists() for name in named), named
    for name in re.findall(r"`(server/[\w./]+)`", promised):
        assert (ROOT / name).exists(), name
