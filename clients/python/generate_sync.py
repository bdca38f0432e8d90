"""Makes the sync client from the async one: `python generate_sync.py`, or `--check` whether it is current."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent / "batchgate_client"
TARGET = PACKAGE / "_sync" / "generated.py"
HEAD = "# Made from `_async` by generate_sync.py; not to be edited.\n"
BY_HAND = {"__init__.py", "runtime.py"}
# In this order.
RULES = (
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bgrpc\.aio\.", "grpc."),
    (r"\b__a(iter|next|enter|exit)__\b", r"__\1__"),
    (r"\banext\(", "next("),
    (r"\baclos(e|ing)\b", r"clos\1"),
    (r"Iterable\[(\w+)\] \| AsyncIterable\[\1\]", r"Iterable[\1]"),
    (r"\bAsyncGenerator\[([^\[\]]+(?:\[[^\[\]]*\])?), None\]", r"Generator[\1, None, None]"),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAsync([A-Z])", r"\1"),
    (r"\b_async\b", "_sync"),
    (r"an async client", "a client"),
)


def sync_source(source: str) -> str:
    """The sync form of an async module."""
    for pattern, replacement in RULES:
        source = re.sub(pattern, replacement, source)
    for command in (("check", "--quiet", "--fix-only", "--select", "I,F401"), ("format",)):
        done = subprocess.run(  # noqa: S603 - our own arguments
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(TARGET), "-"],
            input=source,
            capture_output=True,
            check=True,
            text=True,
        )
        source = done.stdout
    return HEAD + source


def main() -> int:
    """Write what differs, or with `--check` only tell."""
    stale = []
    for path in sorted((PACKAGE / "_async").glob("*.py")):
        if path.name in BY_HAND:
            continue
        target = PACKAGE / "_sync" / path.name
        wanted = sync_source(path.read_text())
        if not target.exists() or target.read_text() != wanted:
            stale.append(target.name)
            if "--check" not in sys.argv:
                target.write_text(wanted)
    if "--check" in sys.argv and stale:
        sys.exit(f"not current: {', '.join(stale)}; run clients/python/generate_sync.py")
    return 0


if __name__ == "__main__":
    main()
