"""How the server is built: imports run one way, and what is generated is current."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SERVER = ROOT / "server" / "batchgate_server"
GENERATED = {"batchgate", "google", "grpc"}

# What each part may import of the server, besides itself. `version`, `steps` and `call` are of no
# layer: a constant, how long work is cut up, and what is known of the running RPC.
LAYERS: dict[str, set[str]] = {
    "steps": set(),
    "version": set(),
    "outside": set(),
    "fairness": set(),
    "callers": {"errors", "settings", "fairness"},
    "call": {"callers", "errors", "fairness"},
    "background": {"call"},
    "observer": {"call", "errors"},
    "stream_end": {"errors"},
    "jsonl": {"steps"},
    "errors": set(),
    "operations": set(),
    "settings": set(),
    "rest": {"errors", "call", "observer", "outside", "steps", "version", "fairness"},
    "translation": {"errors", "operations", "outside", "rest.models", "jsonl", "steps"},
    "providers": {
        *("rest", "settings", "background", "jsonl.rules", "callers.caller", "outside"),
        *("errors", "operations", "call", "observer", "steps", "version"),
    },
    "files": {
        *("providers", "rest", "translation", "jsonl"),
        *("errors", "operations", "call", "steps"),
    },
    "batches": {
        *("files", "providers", "rest", "translation", "jsonl", "settings"),
        *("errors", "operations", "call", "callers", "observer", "steps"),
    },
    "services": {
        *("batches", "files", "providers", "translation", "rest", "jsonl"),
        *("errors", "operations", "call", "stream_end"),
    },
    "interceptors": {
        *("errors", "call", "callers", "settings", "stream_end", "audit", "observer", "outside"),
        "fairness",
    },
}
# They put the parts together.
ABOVE = {"application", "reloading", "workers", "__main__"}
# Each a module of its own, used by those above.
BESIDE: dict[str, set[str]] = {
    "logs": {"call", "outside", "settings", "stderr"},
    "stderr": set(),
    "audit": {"outside", "settings"},
    "server_options": {"settings"},
    "process_limits": set(),
    "addresses": set(),
    "tls": {"settings"},
    "metrics": {"observer", "call", "errors"},
    "admin": {"metrics", "settings", "version"},
    "tracing": {
        *("observer", "call", "settings", "version", "metrics.operations", "stderr"),
    },
    "overview": {
        *("admin", "metrics", "interceptors", "batches", "providers", "audit", "settings"),
        *("observer", "stderr", "version"),
    },
}


def part_of(path: Path) -> str:
    """The part of the server that a file belongs to."""
    return path.relative_to(SERVER).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, by their full names, also inside of functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


FILES = sorted(SERVER.rglob("*.py"))
IDS = [str(path.relative_to(SERVER)) for path in FILES]


def own(path: Path) -> set[str]:
    """What a file imports of the server, without the package's name."""
    prefix = "batchgate_server."
    return {name.removeprefix(prefix) for name in imported(path) if name.startswith(prefix)}


def within(name: str, allowed: set[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in allowed)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_imports_run_one_way(path: Path) -> None:
    part = part_of(path)
    if part in ABOVE or part == "__init__":
        return
    allowed = {**LAYERS, **BESIDE}[part] | {part}
    for name in own(path):
        # `from batchgate_server.rest import models` names the package, then the module in it.
        inside = any(each.startswith(f"{name}.") for each in allowed)
        assert inside or within(name, allowed), f"{part} may not import {name}"


def test_the_layers_have_no_circle() -> None:
    layers = {part: {each.partition(".")[0] for each in below} for part, below in LAYERS.items()}
    while layers:
        free = {part for part, below in layers.items() if not below & layers.keys()}
        assert free, f"a circle among {sorted(layers)}"
        layers = {part: below for part, below in layers.items() if part not in free}


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_imports_the_services_but_the_application(path: Path) -> None:
    if part_of(path) not in {"services", "application"}:
        assert not [name for name in own(path) if within(name, {"services"})]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_the_network_is_touched_in_one_place(path: Path) -> None:
    """Nobody but `rest` knows aiohttp, and the admin listener its server; nobody a second way."""
    roots = {name.partition(".")[0] for name in imported(path)}
    assert not roots & {"requests", "urllib3", "openai", "http"}
    if part_of(path) not in {"rest", "admin"}:
        assert not roots & {"aiohttp", "yarl"}
    if part_of(path) not in {"rest", "providers", "application", "files"}:
        assert "httpx" not in roots


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_translation_is_pure(path: Path) -> None:
    if part_of(path) == "translation":
        roots = {name.partition(".")[0] for name in imported(path)}
        assert not roots & {"asyncio", "httpx", "aiohttp", "os", "socket", "time", "pathlib"}


def reads_environment(path: Path) -> bool:
    names = {"environ", "environb", "getenv"}
    return any(
        (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.alias) and node.name in names)
        for node in ast.walk(ast.parse(path.read_text()))
    )


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_the_environment_is_read_in_one_place(path: Path) -> None:
    if part_of(path) != "settings":
        assert not reads_environment(path)


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "server" / "batchgate_sandbox").rglob("*.py")),
    ids=lambda path: path.stem,
)
def test_the_sandbox_knows_nothing_of_the_gateway(path: Path) -> None:
    """Else both could share a mistake."""
    roots = {name.partition(".")[0] for name in imported(path)}
    assert not roots & {"batchgate_server", "batchgate_client", "batchgate"}


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "clients" / "python").rglob("*.py")),
    ids=lambda path: path.stem,
)
def test_the_client_needs_no_server_to_be_imported(path: Path) -> None:
    """Its users install neither the gateway nor the sandbox: only inside of functions.

    But for the check of lines, which needs nothing that the client does not.
    """
    for node in ast.parse(path.read_text()).body:
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        names = [name for name in names if not within(name, {"batchgate_server.jsonl"})]
        assert not {name.partition(".")[0] for name in names} & {
            "batchgate_server",
            "batchgate_sandbox",
        }


def test_the_check_of_lines_needs_no_server() -> None:
    """It comes with the client alone: besides itself it imports the standard library and msgspec."""
    for path in [SERVER / "steps.py", *sorted((SERVER / "jsonl").rglob("*.py"))]:
        others = {
            name
            for name in imported(path)
            if not within(name, {"batchgate_server.jsonl", "batchgate_server.steps"})
        }
        roots = {name.partition(".")[0] for name in others}
        assert roots <= sys.stdlib_module_names | {"msgspec"}, path


def test_every_part_is_known() -> None:
    parts = {part_of(path) for path in FILES} - {"__init__"}
    assert parts == LAYERS.keys() | ABOVE | BESIDE.keys()


@pytest.mark.parametrize(
    "generator", ["protos/generate.py", "protos/reference.py", "clients/python/generate_sync.py"]
)
def test_the_generated_code_is_current(generator: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / generator, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
