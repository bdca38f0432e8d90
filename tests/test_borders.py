"""Each border has one place where strings from outside pass it: nothing else builds what crosses it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[1] / "server" / "batchgate_server"
FILES = {str(path.relative_to(SERVER)): path for path in sorted(SERVER.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}


def calls(name: str) -> Iterator[ast.Call]:
    """The calls in a file."""
    return (node for node in ast.walk(TREES[name]) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """What is called, as its last name."""
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def users_of(*names: str) -> set[str]:
    """The files in which one of these names is called, used or imported."""
    wanted = set(names)
    return {
        file
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id in wanted)
        or (isinstance(node, ast.Attribute) and node.attr in wanted)
        or (isinstance(node, ast.alias) and node.name in wanted)
    }


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.startswith("providers/")))
def test_a_path_is_written_here_or_made_of_checked_segments(name: str) -> None:
    """No provider puts a string into a path by itself."""
    for call in calls(name):
        if called(call) in {"call", "upload", "download"} and isinstance(call.func, ast.Attribute):
            values = [arg for arg in call.args if not isinstance(arg, ast.Starred)]
            for value in values:
                allowed = isinstance(value, ast.Constant | ast.Name | ast.Attribute) or (
                    isinstance(value, ast.Call) and called(value) in {"_path", "to_json"}
                )
                assert allowed, f"{name}:{call.lineno}: {ast.unparse(value)}"


def test_no_string_is_put_into_a_path_by_formatting() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) and name.startswith("providers/"):
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                )
                assert not re.match(r"/(files|batches)", text), f"{name}:{node.lineno}: {text}"


def test_urls_are_made_in_one_place() -> None:
    assert users_of("url_path") == {"providers/openai.py"}
    assert users_of("url_query") == {"rest/client.py"}
    assert users_of("urlencode") == {"outside.py"}
    # The admin listener's are those that come in.
    made = users_of("Request") - {"admin/server.py"}
    # The pool takes them, and makes none.
    assert made <= {"rest/client.py", "rest/transport.py", "rest/pool.py"}
    # Also of a redirect's target, and to read the host of the configured one.
    assert users_of("URL") <= {"rest/client.py", "rest/transport.py", "providers/openai.py"}


def test_multipart_headers_are_written_in_one_place() -> None:
    writers = {name for name, path in FILES.items() if "Content-Disposition" in path.read_text()}
    assert writers == {"rest/multipart.py"}
    assert users_of("parameter") == {"rest/multipart.py"}


def test_lines_are_written_in_one_place() -> None:
    assert users_of("WriteLoggerFactory", "ConsoleRenderer") == {"logs.py"}
    for name in FILES:
        assert not [call for call in calls(name) if called(call) == "print"], name
        # `__main__` lets warnings take that way, too.
        if name not in {"logs.py", "providers/entra_service.py", "__main__.py"}:
            assert "logging" not in {
                alias.name
                for node in ast.walk(TREES[name])
                if isinstance(node, ast.Import)
                for alias in node.names
            }, name


def test_answers_to_callers_end_in_one_place() -> None:
    # A call that is one too many is refused for less than the others. Health is asked by who knows
    # nothing of our errors.
    callers = {
        *("interceptors/error_status.py", "interceptors/admission.py"),
        "services/health_service.py",
    }
    assert users_of("abort") == callers | (
        users_of("abort") & {"rest/upload.py", "rest/transport.py"}
    )
    assert users_of("set_trailing_metadata") == {"interceptors/chain.py"}
    assert users_of("invocation_metadata") <= {
        "interceptors/chain.py",
        "interceptors/admission.py",
        "interceptors/authentication.py",
        "interceptors/measuring.py",  # for the caller's trace
        "interceptors/provider_key.py",
    }
