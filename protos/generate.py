"""The only producer of `gen/`: Python messages, stubs and their types from the protos.

`python protos/generate.py` writes `protos/gen/python`; with `--check` it writes nothing and exits
with 1 if that folder is not current.
"""

import argparse
import importlib.resources
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = Path("batchgate/v1")
INITS = {
    Path(
        "batchgate/__init__.py"
    ): '"""The public contract of batchgate, generated; one package a version."""\n',
    PACKAGE / "__init__.py": '"""Generated from `protos/batchgate/v1`; never edited."""\n',
    Path("batchgate/py.typed"): "",
}


def generate(target: Path) -> None:
    """Write all generated files under `target`."""
    scripts = Path(sys.executable).parent
    wellknown = importlib.resources.files("grpc_tools") / "_proto"
    subprocess.run(  # noqa: S603 - our own arguments
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--proto_path={HERE}",
            f"--proto_path={wellknown}",
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out={target}",
            f"--mypy_grpc_out={target}",
            *(str(proto.relative_to(HERE)) for proto in sorted((HERE / PACKAGE).glob("*.proto"))),
        ],
        check=True,
        cwd=HERE,
        stderr=subprocess.DEVNULL,
    )
    for name, text in INITS.items():
        (target / name).write_text(text)


def contents(root: Path) -> dict[Path, bytes]:
    """All files under `root`, by relative path."""
    return {
        path.relative_to(root): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def main() -> int:
    """Generate, or check; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if not current")
    arguments = parser.parse_args()
    committed = HERE / "gen" / "python"
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory)
        generate(fresh)
        wanted, present = contents(fresh), contents(committed) if committed.exists() else {}
    stale = sorted(
        path for path in wanted.keys() | present.keys() if wanted.get(path) != present.get(path)
    )
    for path in stale:
        sys.stderr.write(f"{'not current' if arguments.check else 'written'}: {path}\n")
        if not arguments.check:
            target = committed / path
            if path in wanted:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(wanted[path])
            else:
                target.unlink()
    if arguments.check and stale:
        sys.stderr.write("run `make protos` and commit protos/gen\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
